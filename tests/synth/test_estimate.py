"""A whole engine mapped by Yosys: counts that can be told beforehand, and the command line."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from ese_lstm.contract.config import PRESETS
from ese_lstm.hw.verilog.export import TOP
from ese_lstm.synth import delays, estimate, paths, report
from ese_lstm.synth.__main__ import main
from ese_lstm.synth.resources import Resources

CONFIG = PRESETS["tiny"].replace(lanes=2, channels=1, stream_depth=4096, acc_rows=32,
                                 queue_depth=32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("synth")


@pytest.fixture(scope="module")
def found(folder: Path) -> estimate.Estimate:
    return estimate.estimate(CONFIG, folder / "small", jobs=2)


def test_multipliers_and_memories_are_what_was_designed(found: estimate.Estimate) -> None:
    total = found.total
    assert total.dsp == CONFIG.multipliers + 4 * CONFIG.channels
    # A lane: 4,096 entries of 18 bits; a channel: two tables; activations, cells, params.
    assert total.bram36 >= 2 * CONFIG.lanes + 1 * CONFIG.channels
    assert total.bram36 <= 2 * CONFIG.lanes + 1 * CONFIG.channels + 4
    # A MAC: two banks of 32 bits and a queue of 16 bits, 14 bits of 32 words a RAM32M16.
    assert found.own["ese_macs_1"].lutram == 8 * (3 + 3 + 2)
    assert found.own["ese_macs_1"].dsp == 1
    assert found.copies["ese_macs_1"] == found.copies["ese_lane"] == CONFIG.lanes
    assert total.ff_in_dsp >= CONFIG.multipliers * CONFIG.act_bits
    assert total.lut == total.logic + total.lutram + total.shift


def test_a_lane_more_costs_a_lane(found: estimate.Estimate) -> None:
    """The total is the sum over units of own use times copies."""
    by_hand = Resources()
    for name, own in found.own.items():
        for _ in range(found.copies[name]):
            by_hand += own
    assert by_hand == found.total
    assert found.fits and found.share("dsp") == found.total.dsp / 2760


def test_a_second_run_reads_what_is_there(found: estimate.Estimate, folder: Path) -> None:
    mapped: list[str] = []
    again = estimate.estimate(CONFIG, folder / "small", jobs=1,
                              progress=lambda name, seconds: mapped.append(name))
    assert again == found and not mapped


def test_paths_hold_at_200_mhz(found: estimate.Estimate, folder: Path) -> None:
    timing = estimate.timing(CONFIG, folder / "small", jobs=2)
    assert set(timing) == set(found.own) and list(timing)[-1] == TOP
    for name, unit in timing.items():
        assert 0 < unit.inside.delay < delays.PERIOD, name
        assert 0 <= unit.inside.deepest < 12, name
    assert timing[TOP].inside.delay >= max(
        timing[name].inside.delay for name in ("ese_lane", "ese_elementwise"))
    assert report.timing_holds(timing, [])
    slow = paths.Timing(inside=paths.Path(delays.PERIOD, 1, 1, "a", "b"))
    assert not report.timing_holds({**timing, "slow": slow}, [])


def test_the_command_writes_what_it_prints(found: estimate.Estimate, folder: Path) -> None:
    config = folder / "small.json"
    config.write_text(CONFIG.to_json())
    done = CliRunner().invoke(main, ["resources", "--config", str(config), "-o", str(folder)],
                              catch_exceptions=False)
    assert done.exit_code == 0
    assert "without place and route" in done.output and "ESE [rec]" in done.output
    written = json.loads((folder / "synth.json").read_text())
    engine, = written["engines"].values()
    assert engine["total"] == found.total.as_dict()
    assert written["available"]["lut"] == 331_680 and written["ese"]["dsp"] == 1504
    assert "without place and route" in written["note"]
    assert sum(unit["copies"] * unit["dsp"] for unit in engine["units"].values()) \
        == found.total.dsp
