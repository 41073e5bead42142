"""A program that is killed in the middle of a packet: the next one begins anew."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from ese_lstm.contract.config import PRESETS
from ese_lstm.contract.image import write_image
from ese_lstm.contract.registers import offset, register
from ese_lstm.runtime import Engine
from ese_lstm.sim.rtl.device import SimulatedDevice
from ese_lstm.sim.rtl.remote_file import RemoteFile

CONFIG = PRESETS["tiny"].replace(fetch_depth=16)
WAIT_S = 300

PROGRAM = """
import sys, threading, time
import numpy as np
from ese_lstm.contract.packets import memory_packet, pack_frames
from ese_lstm.runtime import Engine
from ese_lstm.runtime.device_files import FRAMES, LOAD

path, image, what = sys.argv[1:]
engine = Engine.open(f"xdma:{path}", timeout_s=600)
device = engine.turns.backend
config, shell = engine.config, device._shell
if what == "load":
    device._files.open_data()
    file, packet = LOAD, memory_packet(np.zeros(1 << 20, np.uint8), shell)
else:
    engine.load(image)
    file, channels = FRAMES, config.channels
    frame = np.ones((1, engine.manifest.layers[0].inputs, channels), np.int64)
    active = np.ones((1, channels), bool)
    packet = pack_frames(frame, active, active, config, shell)[0]

def write():
    while True:  # nobody reads results, so that frames come to a stop
        device._files.send(file, packet)

threading.Thread(target=write, daemon=True).start()
seen, before = 0, -1
while seen < 3:
    beats = device.counters()["beats_in"]
    busy = device._field("STATUS", f"{what}_busy")
    seen, before = (seen + 1 if busy and beats == before else 0), beats
print("in the middle of a packet", flush=True)
time.sleep(600)
"""


@pytest.fixture
def board() -> Iterator[SimulatedDevice]:
    """One that holds no image yet: a packet that it swallows is missed."""
    with SimulatedDevice(CONFIG, driver_timeout_s=WAIT_S) as simulated:
        yield simulated


def status(device: SimulatedDevice) -> dict[str, int]:
    user = RemoteFile(device.path.with_name(f"{device.path.name}_user"), WAIT_S)
    try:
        word = int.from_bytes(user.pread(4, offset("STATUS"), WAIT_S), "little")
    finally:
        user.close()
    return register("STATUS").unpack(word)


@pytest.mark.parametrize("what, left", [("load", {"load_busy"}),
                                        ("frame", {"frame_busy", "result_busy", "running"})])
def test_a_killed_program(what: str, left: set[str], board: SimulatedDevice, make_image,
                          make_utterances, alone, seed: int, tmp_path: Path) -> None:
    """It leaves a part of a load packet, or of a frame, and results that nobody took."""
    image = make_image(seed, CONFIG)
    write_image(tmp_path / "my.ese", image)
    with subprocess.Popen([sys.executable, "-c", PROGRAM, str(board.path),
                           str(tmp_path / "my.ese"), what], text=True,
                          stdout=subprocess.PIPE) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "in the middle of a packet\n"
        program.send_signal(signal.SIGKILL)
    found = status(board)
    assert all(found[name] for name in left), found
    (frames,) = make_utterances(seed, [4])
    for _ in range(2):
        with Engine.open(f"xdma:{board.path}", timeout_s=WAIT_S) as engine:
            engine.load(image)
            with engine.open_stream(integers=True) as stream:
                np.testing.assert_array_equal(
                    np.concatenate([stream.push(frames), stream.finish()]), alone(image, frames))
