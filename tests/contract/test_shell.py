"""Configuration of the shell."""

import pytest

from ese_lstm.contract.errors import EseError
from ese_lstm.contract.shell import SHELL_PRESETS, ShellConfig, load_shell_config


@pytest.mark.parametrize("values, message", [
    ({"stream_bits": 32}, r"^stream_bits: input should be greater than or equal to 64, got 32$"),
    ({"stream_bits": 96}, r"^stream_bits: must be a power of two, got 96$"),
    ({"memory_bits": 320}, r"^memory_bits: must be a power of two, got 320$"),
    ({"memory_address_bits": 31}, r"^memory_address_bits: .* equal to 32, got 31$"),
    ({"burst_beats": 65}, r"^burst_beats: must be at most 64, 4096 bytes of 512 bits a beat, got "
                          r"65$"),
    ({"outstanding": 0}, r"^outstanding: .* equal to 1, got 0$"),
    ({"streams": 3}, r"^streams: is not a field of the shell configuration$"),
])
def test_rules(values, message):
    with pytest.raises(EseError, match=message):
        ShellConfig(**values)


@pytest.mark.parametrize("name", SHELL_PRESETS)
def test_json_round_trip(tmp_path, name):
    shell = SHELL_PRESETS[name]
    path = tmp_path / "shell.json"
    path.write_text(shell.to_json())
    assert load_shell_config(str(path)) == shell == load_shell_config(name)
    assert load_shell_config(str(path)).digest == shell.digest
    assert shell.replace(outstanding=3).digest != shell.digest


@pytest.mark.parametrize("text, message", [
    ("{", r"^s.json: must be JSON, but line 1 is not: "),
    ("7", r"^s.json: must be a JSON object, got int$"),
    ('{"stream_bits": 65}', r"^s.json: stream_bits: must be a power of two, got 65$")])
def test_bad_json(text, message):
    with pytest.raises(EseError, match=message):
        ShellConfig.from_json(text, "s.json")


def test_unknown_name():
    with pytest.raises(EseError, match=r"^shell: must be a preset \(tiny, .*, got 'nothing'$"):
        load_shell_config("nothing")
