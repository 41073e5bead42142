"""docs/synthesis.md states the delay model and the targets as they are in the code."""

import re
from pathlib import Path

from ese_lstm.contract.published import ESE_RESOURCES, XCKU060
from ese_lstm.synth import delays, ecp5
from ese_lstm.synth.resources import TARGETS

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs/synthesis.md").read_text()
FLAT = re.sub(r"\s+", " ", TEXT)


def test_the_delays_are_the_models() -> None:
    for words, value in {
            "LUT {}, net": delays.LUT, "net {} + 0.05": delays.NET,
            "+ {}·log2": delays.NET_PER_DOUBLING, "spread over the device {}": delays.FAR_NET,
            "carry chain {} and": delays.CARRY_IN, "and {} for four bits": delays.CARRY_STEP,
            "flip-flop {} out": delays.FF_OUT, "out and {} before the clock (": delays.FF_SETUP,
            "(enables {})": delays.FF_CONTROL, "LUT memory {} through": delays.RAM_READ,
            "through and {} before": delays.RAM_SETUP, "block RAM {} out": delays.BLOCK_OUT,
            "register) and {} before": delays.BLOCK_SETUP, "DSP48E2 {} out": delays.DSP_OUT,
            "out and {} before the clock. **These": delays.DSP_SETUP}.items():
        assert words.format(f"{value:.2f}") in FLAT, words
    assert f"At most {delays.PERIOD} ns less {delays.UNCERTAINTY} ns" in FLAT
    assert f"Target {ecp5.TARGET_MHZ:.0f} MHz" in FLAT and f"seed {ecp5.SEED}," in FLAT


def test_device_targets_and_the_papers_figures() -> None:
    rows = {row.split("|")[1].strip(): row for row in TEXT.splitlines() if row.startswith("|")}
    for field in ("lut", "lutram", "ff", "bram36", "dsp"):
        assert f"{getattr(XCKU060, field):,} " in rows["available"]
        assert f"{getattr(ESE_RESOURCES, field):,} (" in rows["ESE [rec]"]
    for share in TARGETS.values():
        assert f"{100 * share:.0f} %" in rows["target"]


def test_shares_recompute() -> None:
    """Every number (share %) in the rows of the first table, and the targets are met."""
    table = TEXT[TEXT.index("| available |"):TEXT.index("With 64 channels")]
    available = [XCKU060.lut, XCKU060.lutram, XCKU060.ff, XCKU060.bram36, XCKU060.dsp]
    checked = 0
    for row in table.splitlines():
        pairs = re.findall(r"([\d,]+) \(([\d.]+) %\)", row)
        for (number, share), whole in zip(pairs, available, strict=False):
            assert abs(100 * int(number.replace(",", "")) / whole - float(share)) < 0.06
            checked += 1
        if "`xcku060-32x32`" in row:
            shares = [float(share) / 100 for _number, share in pairs]
            assert shares[0] <= TARGETS["lut"] and shares[3] <= TARGETS["bram36"]
            assert shares[4] <= TARGETS["dsp"]
    assert checked == 15
