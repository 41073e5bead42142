"""Identity registers: what they say is the configuration, the whole of it, or an error."""

import pytest

from ese_lstm.contract.config import PRESETS, EngineConfig
from ese_lstm.contract.errors import EseError
from ese_lstm.contract.identity import clock_hz, digest_words, identity_words, read_identity
from ese_lstm.contract.registers import offset, register
from ese_lstm.contract.shell import SHELL_PRESETS, ShellConfig

TINY, SHELL = PRESETS["tiny"], SHELL_PRESETS["tiny"]
ENGINES = {**PRESETS, "other": EngineConfig(
    lanes=128, channels=128, queue_depth=64, acc_rows=64, index_mode="relative4", weight_bits=18,
    act_bits=18, acc_bits=48, cell_bits=27, cell_frac=23, peephole_bits=2, stream_depth=1 << 20,
    activation_depth=1 << 16, cell_depth=1 << 16, param_depth=1 << 18, segment_depth=1024,
    epilogue_depth=1023, output_depth=1022, fetch_depth=4096, clock_mhz=133.333333)}
SHELLS = {**SHELL_PRESETS, "other": ShellConfig(
    stream_bits=1024, memory_bits=128, memory_address_bits=64, burst_beats=256, outstanding=64,
    result_depth=8192)}


def reader(config, shell, **changes):
    words = {offset(name): word for name, word in (identity_words(config, shell) | changes).items()}
    return words.__getitem__


@pytest.mark.parametrize("shell", SHELLS.values(), ids=SHELLS)
@pytest.mark.parametrize("config", ENGINES.values(), ids=ENGINES)
def test_a_host_learns_both_configurations(config, shell):
    assert read_identity(reader(config, shell)) == (config, shell)


def test_every_field_is_shown():
    """The other configurations differ from the defaults' in every field."""
    for one, other in ((PRESETS["xcku060-32x32"], ENGINES["other"]),
                       (SHELLS["xcku060"], SHELLS["other"])):
        before, after = one.model_dump(), other.model_dump()
        assert all(before[name] != after[name] for name in before) and len(before) > 5


def test_words():
    words = identity_words(TINY, SHELL)
    assert words["ID"].to_bytes(4, "little") == b"ESE1"
    assert "".join(f"{words[f'CONFIG_DIGEST_{k}']:08x}" for k in range(4)) == TINY.digest[:32]
    assert register("CAPABILITY").unpack(words["CAPABILITY"]) == {
        "streaming": 0, "relative_index": 0}
    streaming = identity_words(TINY.replace(fetch_depth=64, index_mode="relative4"), SHELL)
    assert register("CAPABILITY").unpack(streaming["CAPABILITY"]) == {
        "streaming": 1, "relative_index": 1}
    assert clock_hz(TINY) == 200_000_000 == words["CONFIG_CLOCK"]
    assert digest_words(TINY) != digest_words(TINY.replace(lanes=3))


@pytest.mark.parametrize("changes, message", [
    ({"ID": 0xFFFFFFFF}, "ID: must be 0x31455345, got 0xffffffff: there is no engine"),
    ({"VERSION": 2 << 16 | 7}, r"VERSION: must be 1\.x, got 2\.7"),
    ({"CONFIG_DIGEST_2": 5}, "CONFIG_DIGEST: must be [0-9a-f]{32} for the configuration in the "
                             "registers, got [0-9a-f]{16}00000005"),
    ({"CONFIG_QUEUES": 33}, "CONFIG_DIGEST: must be"),
    ({"CONFIG_ARRAY": 0}, "lanes: .* got 0"),
])
def test_what_is_not_an_engine_is_refused(changes, message):
    with pytest.raises(EseError, match=message):
        read_identity(reader(TINY, SHELL, **changes))


def test_a_newer_minor_version_is_no_obstacle():
    words = {"VERSION": register("VERSION").pack({"major": 1, "minor": 9})}
    assert read_identity(reader(TINY, SHELL, **words)) == (TINY, SHELL)


def test_a_clock_of_no_whole_hertz_is_refused():
    with pytest.raises(EseError, match=r"clock_mhz: must be a whole number of Hz .*133\.3333333"):
        identity_words(TINY.replace(clock_mhz=133.3333333), SHELL)
