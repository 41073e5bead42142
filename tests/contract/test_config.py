"""Engine configuration: every rule and its sentence, JSON, presets."""

import json

import pytest

from ese_lstm.contract.config import PRESETS, EngineConfig, bits_for, load_config
from ese_lstm.contract.errors import EseError


@pytest.mark.parametrize("count, bits", [(1, 1), (2, 1), (3, 2), (4, 2), (5, 3), (64, 6), (65, 7)])
def test_bits_for(count, bits):
    assert bits_for(count) == bits


@pytest.mark.parametrize("values, message", [
    ({"lanes": 0}, r"^lanes: input should be greater than or equal to 1, got 0$"),
    ({"lanes": 129}, r"^lanes: input should be less than or equal to 128, got 129$"),
    ({"channels": 2.5}, r"^channels: .*integer, got 2.5$"),
    ({"channels": "4"}, r"^channels: .*integer, got '4'$"),
    ({"acc_rows": 6}, r"^acc_rows: input should be a multiple of 4, got 6$"),
    ({"index_mode": "csr"}, r"^index_mode: .*'absolute' or 'relative4', got 'csr'$"),
    ({"lane": 4}, r"^lane: is not a field of the engine configuration$"),
    ({"cell_frac": 22}, r"^cell_frac must leave 4 integer bits of cell_bits=24, got 22$"),
    ({"cell_frac": 8}, r"^cell_frac must be at least act_bits - 4 = 12, got 8$"),
    ({"acc_bits": 27}, r"^acc_bits must hold one product .* = 28 bits, got 27$"),
])
def test_rules(values, message):
    with pytest.raises(EseError, match=message):
        EngineConfig(**{"lanes": 2, "channels": 2, **values})


def test_missing_field():
    with pytest.raises(EseError, match=r"^channels: must be given$"):
        EngineConfig(lanes=2)


def test_frozen():
    with pytest.raises(ValueError, match="frozen"):
        PRESETS["tiny"].lanes = 3


@pytest.mark.parametrize("name", PRESETS)
def test_json_round_trip(tmp_path, name):
    config = PRESETS[name]
    path = tmp_path / "engine.json"
    path.write_text(config.to_json())
    assert load_config(str(path)) == config == load_config(name)
    assert load_config(str(path)).digest == config.digest
    others = [other.digest for key, other in PRESETS.items() if key != name]
    assert config.digest not in others


@pytest.mark.parametrize("text, message", [
    ("{", r"^e.json: must be JSON, but line 1 is not: "),
    ("[" * 100_000, r"^e.json: must be JSON that can be read, but "),
    ("9" * 5000, r"^e.json: must be JSON that can be read, but "),
    ("[]", r"^e.json: must be a JSON object, got list$"),
    ('{"lanes": 2, "channels": 300}', r"^e.json: channels: .*, got 300$"),
])
def test_bad_json(text, message):
    with pytest.raises(EseError, match=message):
        EngineConfig.from_json(text, "e.json")


def test_unknown_name():
    with pytest.raises(EseError, match=r"^config: must be a preset \(tiny, .*\) or a JSON file, "
                                       r"got 'huge'$"):
        load_config("huge")


def test_replace_validates():
    assert PRESETS["tiny"].replace(lanes=5).lanes == 5
    with pytest.raises(EseError, match=r"^acc_rows: "):
        PRESETS["tiny"].replace(acc_rows=5)


def test_derived_of_the_published_size():
    """ESE on the XCKU060: 32 × 32 multipliers, 18-bit entries, 256 cells a tile."""
    config = PRESETS["xcku060-32x32"]
    assert (config.multipliers, config.entry_bits, config.index_bits) == (1024, 18, 5)
    assert (config.cells_per_tile, config.rows_per_tile) == (256, 1024)
    relative = config.replace(index_mode="relative4")
    assert (relative.entry_bits, relative.index_bits) == (17, 4)
    assert json.loads(config.to_json())["clock_mhz"] == 200.0


def test_a_configuration_that_is_no_text(tmp_path):
    (tmp_path / "e.json").write_bytes(b"\xff\xfe\0")
    with pytest.raises(EseError, match=r"e\.json: must be JSON, but line 1 is not: "):
        load_config(str(tmp_path / "e.json"))
