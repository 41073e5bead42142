"""What can go wrong with a device: gone, silent, in error, in use, not there, not ours."""

import os
import signal

import numpy as np
import pytest

from ese_lstm.contract.config import PRESETS
from ese_lstm.contract.errors import EseError
from ese_lstm.contract.packets import descriptor_layout, load_packets, load_sections, memory_packet
from ese_lstm.contract.shell import SHELL_PRESETS
from ese_lstm.runtime import DeviceError, Engine, EngineTimeout, Patience
from ese_lstm.runtime.backends import xdma
from ese_lstm.runtime.backends.xdma import split
from ese_lstm.runtime.device_files import FRAMES, LOAD
from ese_lstm.sim.rtl.device import SimulatedDevice

TINY = PRESETS["tiny"]


def check_run(engine, image, frames, alone) -> None:
    with engine.open_stream(integers=True) as stream:
        np.testing.assert_array_equal(np.concatenate([stream.push(frames), stream.finish()]),
                                      alone(image, frames))


@pytest.mark.parametrize("pause", ["half", "bursts"])
def test_streams_that_pause(pause, image, make_utterances, alone, seed) -> None:
    (frames,) = make_utterances(seed, [4])
    with SimulatedDevice(TINY, pause=pause, seed=seed) as device, \
            Engine.open(f"xdma:{device.path}", timeout_s=60) as engine:
        engine.load(image)
        check_run(engine, image, frames, alone)


def test_streamed_weights(make_image, make_utterances, alone, seed) -> None:
    """Rows go to the device's memory in load packets, and come back in every frame."""
    image = make_image(seed, TINY.replace(fetch_depth=16), "none")
    assert image.rows > 0
    (frames,) = make_utterances(seed, [4])
    with Engine.open("rtl", timeout_s=60) as engine:
        for _ in range(2):
            engine.load(image)
            check_run(engine, image, frames, alone)
            counters = engine.counters()
            assert counters["weight_rows"] >= len(frames) * image.rows
            assert counters["beats_write"] == -(-len(image.memory) // 8)
            assert counters["beats_read"] >= len(frames) * (len(image.memory) // 8)


def test_a_killed_simulator(image, make_utterances, alone, seed) -> None:
    (frames,) = make_utterances(seed, [3])
    with Engine.open("rtl", config=TINY, timeout_s=60) as engine:
        engine.load(image)
        with engine.open_stream(integers=True) as stream:
            stream.push(frames, wait=True)
            os.kill(engine.turns.backend._device._process.pid, signal.SIGKILL)
            with pytest.raises(DeviceError, match="device: the simulator must run, but ended with "
                                                  "-9"):
                stream.push(frames, wait=True)
            with pytest.raises(DeviceError, match="engine: must be loaded again after its "
                                                  "failure"):
                stream.push(frames)
        engine.load(image)  # starts another
        check_run(engine, image, frames, alone)


def test_a_killed_device(image, make_utterances, seed) -> None:
    (frames,) = make_utterances(seed, [3])
    with SimulatedDevice(TINY) as device, \
            Engine.open(f"xdma:{device.path}", timeout_s=60) as engine:
        engine.load(image)
        with engine.open_stream(integers=True) as stream:
            os.kill(device._process.pid, signal.SIGKILL)
            with pytest.raises(DeviceError, match=r"device: \S+/xdma0_\w+ must answer, but "):
                stream.push(frames, wait=True)
        with pytest.raises(DeviceError, match="must answer, but|must be free to open, but"):
            engine.load(image)


def test_a_silent_device(image, make_utterances, alone, seed) -> None:
    (frames,) = make_utterances(seed, [3])
    with SimulatedDevice(TINY) as device, \
            Engine.open(f"xdma:{device.path}", timeout_s=3.0) as engine:
        engine.load(image)
        with engine.open_stream(integers=True) as stream:
            os.kill(device._process.pid, signal.SIGSTOP)
            with pytest.raises(EngineTimeout, match="must answer within timeout_s=3, but did not"):
                stream.push(frames, wait=True)
            os.kill(device._process.pid, signal.SIGCONT)
            with pytest.raises(EngineTimeout, match="must be loaded again after its failure"):
                stream.push(frames)
        engine.timeout_s = 60
        engine.load(image)
        check_run(engine, image, frames, alone)


@pytest.mark.parametrize("bit, file, size", [
    ("frame_length", FRAMES, 3 * 8), ("frame_keep", FRAMES, 6 * 8 - 3),
    ("load_busy", LOAD, 2 * 8)])
def test_an_error_of_the_device_is_named(bit, file, size, device, image, make_utterances, alone,
                                         seed) -> None:
    (frames,) = make_utterances(seed, [2])
    with Engine.open(f"xdma:{device.path}", timeout_s=60) as engine:
        engine.load(image)
        with engine.open_stream(integers=True) as stream:
            stream.push(frames, wait=True)
            engine.turns.backend._files.send(file, np.zeros(size, np.uint8))
            with pytest.raises(DeviceError, match=f"device: ERROR must be 0, but {bit} is set: "):
                stream.finish()
        engine.load(image)
        check_run(engine, image, frames, alone)


def test_an_engine_that_hangs_is_told_by_the_watchdog(make_image, make_utterances, alone, seed
                                                      ) -> None:
    """Rows that never come: an error by name, and the device is as before after the next load."""
    image = make_image(seed, TINY.replace(fetch_depth=16), "none")
    (frames,) = make_utterances(seed, [3])
    with Engine.open("rtl", timeout_s=5, patience=Patience(watchdog_cycles=3000)) as engine:
        engine.load(image)
        files = engine.turns.backend._files
        assert files._field("WATCHDOG", "cycles") == 3000
        assert files._field("MEMORY_TIMEOUT", "cycles") == Patience().memory_timeout_cycles
        files._write("CONTROL", run=0)
        files._until("STATUS", idle=1)
        files._write("WEIGHT_ROWS", rows=0)
        files._write("CONTROL", run=1)
        with engine.open_stream(integers=True) as stream:
            stream.push(frames[:1])
            with pytest.raises(DeviceError, match="ERROR must be 0, but watchdog is set: the engi"):
                stream.finish()
        engine.load(image)
        check_run(engine, image, frames, alone)


def test_patience_must_fit_its_registers() -> None:
    for name in ("watchdog_cycles", "memory_timeout_cycles"):
        for value in (-1, 1 << 32):
            with pytest.raises(EseError, match=f"{name}: must be 0 to 4294967295, got {value}"):
                Patience(**{name: value})


def test_a_device_without_a_watchdog(image, device, monkeypatch) -> None:
    """Of register map 1.0: loaded as ever, and nothing is written that it does not have."""
    monkeypatch.setattr(xdma, "PATIENCE_MINOR", 2)
    with Engine.open(f"xdma:{device.path}", timeout_s=60) as engine:
        engine.load(image)
    with Engine.open(f"xdma:{device.path}", timeout_s=60,
                     patience=Patience(watchdog_cycles=9)) as engine, \
            pytest.raises(EseError, match="patience: must be Patience.* got Patience"):
        engine.load(image)


def test_a_device_in_use(device) -> None:
    with Engine.open(f"xdma:{device.path}"), \
            pytest.raises(DeviceError, match=r"xdma0_user must be free to open, but Device or "
                                             r"resource busy"):
        Engine.open(f"xdma:{device.path}")
    with Engine.open(f"xdma:{device.path}") as engine:
        assert engine.config == TINY


def test_a_device_of_another_configuration(device) -> None:
    with pytest.raises(EseError, match="config: must be the device's, but has lanes 4 against 2"):
        Engine.open(f"xdma:{device.path}", config=TINY.replace(lanes=4))


def test_files_that_are_no_engine(tmp_path) -> None:
    path = tmp_path / "xdma0_user"
    path.write_bytes(bytes(4096))
    with pytest.raises(EseError, match=r"xdma0_user must be a file of the XDMA driver or of a "
                                       r"simulated device, but is neither"):
        Engine.open(f"xdma:{tmp_path}/xdma0")
    path.unlink()
    path.symlink_to("/dev/zero")  # a character device, as the driver's
    with pytest.raises(EseError, match="ID: must be 0x31455345, got 0x00000000"):
        Engine.open(f"xdma:{tmp_path}/xdma0")


@pytest.mark.parametrize("longest", [1, 40, 1 << 20])
def test_split_packets_load_the_same(longest, image) -> None:
    shell, layout = SHELL_PRESETS["tiny"], descriptor_layout()
    beat, pieces = shell.stream_bytes, 0
    memory = memory_packet(np.arange(100, dtype=np.uint8), shell, 64)
    for packet in (*load_packets(image, shell), memory):
        head = layout.unpack(int.from_bytes(packet[:8].tobytes(), "little"))
        words = bytearray()
        for piece in split(packet, TINY, shell, longest):
            pieces += 1
            found = layout.unpack(int.from_bytes(piece[:8].tobytes(), "little"))
            sizes = {int(s): each.beats(shell) * beat for s, each in load_sections(TINY).items()}
            size = sizes.get(head["section"])
            done = len(words) if size is None else len(words) // size
            assert found == {**head, "address": head["address"] + done}
            assert len(piece) - beat <= max(longest, size or beat)
            words += piece[beat:].tobytes()
        assert bytes(words) == packet[beat:].tobytes()
    assert pieces >= len(load_packets(image, shell)) + 1
