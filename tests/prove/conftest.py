"""Proving, refuting and reaching, with a line for each in pytest's summary."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from .proof import Proof, mutant, steps_of

MUTANT_CYCLES = 40
Mutation = tuple[ModuleType, str, str]
"""A module, a piece of its text and what stands there instead."""


@pytest.fixture
def prove(tmp_path: Path, record_property: Callable[[str, object], None]
          ) -> Callable[[type[Proof]], None]:
    """``prove(proof)``: no run breaks a claim; what the proof wants reached is reached."""
    def hold(proof: type[Proof]) -> None:
        made, begin = proof(), time.monotonic()
        steps = steps_of(proof.depth) if proof.depth else None
        trace = made.counterexample(tmp_path, steps)
        seconds = time.monotonic() - begin
        assert trace is None, trace
        record_property("proof", f"{proof.__name__}: {len(made.claims)} claims, "
                                 f"{steps or 'all'} cycles, {seconds:.1f} s")
        assert not (unreached := made.unreached(tmp_path, proof.reach)), unreached
    return hold


@pytest.fixture
def refute(tmp_path: Path) -> Callable[[type[Proof], Sequence[Mutation], str], None]:
    """``refute(proof, mutations, claim)``: with the text replaced, a run breaks the claim."""
    def fall(proof: type[Proof], mutations: Sequence[Mutation], claim: str) -> None:
        sources = {}
        for number, (module, old, new) in enumerate(mutations):
            folder = tmp_path / str(number)
            folder.mkdir()
            sources[module] = mutant(module, old, new, folder)
        broken = proof(sources, only=claim)
        assert claim in broken.claims
        trace = broken.counterexample(tmp_path, MUTANT_CYCLES)
        assert trace is not None, f"no run breaks {claim}"
        print(trace)
        assert claim in trace.splitlines()[0].split(": ")[1].split(", "), trace
    return fall


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """One line a proof."""
    lines = [value for report in terminalreporter.getreports("passed")
             for name, value in report.user_properties if name == "proof"]
    if lines:
        terminalreporter.section("proofs")
        for line in sorted(lines):
            terminalreporter.write_line(line)
