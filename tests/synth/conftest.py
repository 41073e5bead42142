from collections.abc import Callable
from typing import Any

import pytest


class Builder:
    """A mapped module as Yosys' JSON has it, net names in place of bit numbers."""

    def __init__(self) -> None:
        self.bits: dict[str, int] = {}
        self.ports: dict[str, Any] = {}
        self.cells: dict[str, Any] = {}

    def bit(self, net: str) -> int | str:
        return net if net in ("0", "1") else self.bits.setdefault(net, len(self.bits) + 2)

    def port(self, name: str, direction: str) -> "Builder":
        self.ports[name] = {"direction": direction, "bits": [self.bit(name)]}
        return self

    def cell(self, kind: str, outputs: dict[str, str], inputs: dict[str, str]) -> "Builder":
        """Pins and their nets, several nets of one pin joined by blanks."""
        pins = outputs | inputs
        self.cells[f"cell_{len(self.cells)}"] = {
            "type": kind, "parameters": {},
            "port_directions": {pin: "output" if pin in outputs else "input" for pin in pins},
            "connections": {pin: [self.bit(net) for net in nets.split()]
                            for pin, nets in pins.items()}}
        return self

    def flip_flop(self, q: str, d: str) -> "Builder":
        return self.cell("FDRE", {"Q": q}, {"C": "clk", "D": d, "CE": "1", "R": "0"})

    @property
    def module(self) -> dict[str, Any]:
        return {"ports": self.ports, "cells": self.cells,
                "netnames": {net: {"hide_name": 0, "bits": [bit]}
                             for net, bit in self.bits.items()}}


@pytest.fixture
def builder() -> Callable[[], Builder]:
    return lambda: Builder().port("clk", "input")
