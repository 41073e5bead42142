"""The simulated device's files do what the driver's do, and leave nothing behind."""

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from ese_lstm.compress.synthetic import LayerShape
from ese_lstm.contract.config import PRESETS
from ese_lstm.contract.errors import EseError
from ese_lstm.contract.packets import load_packets, pack_frames, row_beats, unpack_results
from ese_lstm.contract.registers import IDENTIFIER, offset, register
from ese_lstm.contract.shell import SHELL_PRESETS
from ese_lstm.sim.rtl.device import SimulatedDevice
from ese_lstm.sim.rtl.remote_file import ERESTARTSYS, RemoteFile

TINY, SHELL = PRESETS["tiny"], SHELL_PRESETS["tiny"]
WAIT_S = 300
DRIVER_TIMEOUT_S = 1.0


@pytest.fixture(scope="module")
def device():
    with SimulatedDevice(TINY, driver_timeout_s=DRIVER_TIMEOUT_S) as simulated:
        yield simulated


@pytest.fixture
def open_file(device):
    """``open_file("user")``, closed after the test."""
    files = []

    def opening(name: str) -> RemoteFile:
        files.append(RemoteFile(device.path.with_name(f"{device.path.name}_{name}"), WAIT_S))
        return files[-1]

    yield opening
    for file in files:
        file.close()


def read(user: RemoteFile, name: str) -> int:
    return int.from_bytes(user.pread(4, offset(name), WAIT_S), "little")


def write(user: RemoteFile, name: str, value: int) -> None:
    assert user.pwrite(value.to_bytes(4, "little"), offset(name), WAIT_S) == 4


def cycles(user: RemoteFile) -> int:
    write(user, "COUNTER_SNAPSHOT", 1)
    return read(user, "COUNTER_CYCLES_LO")


def test_registers(open_file) -> None:
    user = open_file("user")
    assert read(user, "ID") == IDENTIFIER
    write(user, "SCRATCH", 0xDEADBEEF)
    assert read(user, "SCRATCH") == 0xDEADBEEF
    write(user, "ERROR", 0xFFFFFFFF)
    assert user.pread(4, 0xFFC, WAIT_S) == b"\xff" * 4, "no register answers there"
    assert read(user, "ERROR") == register("ERROR").pack({"access": 1})
    write(user, "ERROR", 0xFFFFFFFF)
    for wrong in (lambda: user.pread(4, 2, WAIT_S), lambda: user.pwrite(b"12", 0, WAIT_S)):
        with pytest.raises(OSError, match=os.strerror(errno.EPROTO)):
            wrong()


def test_packets(open_file, make_case, seed) -> None:
    """A write is a packet; a read ends with its packet, or earlier and goes on where it was."""
    case = make_case(TINY, np.random.default_rng(seed), 5, [LayerShape(6, projection=4)], 1.0, 3)
    user, load, frames, results = map(open_file, ("user", "h2c_0", "h2c_1", "c2h_0"))
    write(user, "CONTROL", register("CONTROL").pack({"soft_reset": 1}))
    for packet in load_packets(case.image, SHELL):
        assert load.pwrite(packet.tobytes(), 0, WAIT_S) == len(packet)
    write(user, "CONTROL", register("CONTROL").pack({"run": 1}))
    size = 4 * row_beats(TINY, SHELL) * SHELL.stream_bytes
    compared = 0
    packets = pack_frames(case.frames, case.active, case.start, TINY, SHELL)
    for number, (packet, golden) in enumerate(zip(packets, case.golden(), strict=True)):
        assert frames.pwrite(packet.tobytes(), 0, WAIT_S) == len(packet)
        pieces = (16 * size,) if number == 0 else (8 * number, size)
        data = b"".join(results.pread(piece, 0, WAIT_S) for piece in pieces)
        assert len(data) == size
        got = unpack_results(np.frombuffer(data, np.uint8)[None], TINY, SHELL)[0]
        np.testing.assert_array_equal(got, golden.outputs)
        compared += got.size
    assert compared == 3 * 4 * 2
    assert read(user, "ERROR") == 0
    write(user, "CONTROL", 0)


def test_calls_that_the_driver_refuses(device, open_file) -> None:
    frames, results = open_file("h2c_1"), open_file("c2h_0")
    for wrong in (lambda: frames.pread(8, 0, WAIT_S), lambda: results.pwrite(b"12", 0, WAIT_S),
                  lambda: results.pread(12, 0, WAIT_S), lambda: frames.pwrite(b"", 0, WAIT_S)):
        with pytest.raises(OSError, match=os.strerror(errno.EINVAL)):
            wrong()
    with pytest.raises(OSError, match=os.strerror(errno.EBUSY)):
        open_file("c2h_0")


def test_the_drivers_timeout(open_file) -> None:
    results = open_file("c2h_0")
    begin = time.monotonic()
    with pytest.raises(OSError, match="512") as failure:
        results.pread(64, 0, WAIT_S)
    assert failure.value.errno == ERESTARTSYS
    assert time.monotonic() - begin >= DRIVER_TIMEOUT_S


def test_our_own_timeout(open_file) -> None:
    results = open_file("c2h_0")
    with pytest.raises(TimeoutError):
        results.pread(64, 0, 0.05)


def processor_time(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_it_stands_still_when_nothing_is_to_be_done(device, open_file) -> None:
    user = open_file("user")
    write(user, "CONTROL", register("CONTROL").pack({"run": 1}))
    first, used = cycles(user), processor_time(device._process.pid)
    time.sleep(0.5)
    assert cycles(user) - first < 2000
    assert processor_time(device._process.pid) - used < 0.2
    write(user, "CONTROL", 0)


def test_folders(tmp_path) -> None:
    with SimulatedDevice(TINY, folder=tmp_path / "a" / "b") as device:
        assert device.path == tmp_path / "a" / "b" / "xdma0"
        names = {file.name for file in device.path.parent.iterdir()}
        assert names == {f"xdma0_{name}" for name in ("user", "h2c_0", "h2c_1", "c2h_0")}
        with pytest.raises(EseError, match=r"folder: \S+xdma0_user must not exist, but does"):
            SimulatedDevice(TINY, folder=device.path.parent)
        assert device.running
    assert not device.running
    assert list(device.path.parent.iterdir()) == []
    with pytest.raises(EseError, match="must have a path of at most"):
        SimulatedDevice(TINY, folder=tmp_path / ("x" * 100))
    (tmp_path / "file").touch()
    with pytest.raises(EseError, match="file must be a folder, but File exists"):
        SimulatedDevice(TINY, folder=tmp_path / "file")
    with pytest.raises(EseError, match="pause: must be one of none"):
        SimulatedDevice(TINY, pause="always")


PROGRAM = """
import sys, time
from pathlib import Path
from ese_lstm.contract.config import PRESETS
from ese_lstm.sim.rtl.device import SimulatedDevice
device = SimulatedDevice(PRESETS["tiny"], folder=Path(sys.argv[1]))
print(device._process.pid, device._work, flush=True)
time.sleep(600)
"""


def test_it_ends_with_the_program_that_started_it(tmp_path) -> None:
    with subprocess.Popen([sys.executable, "-c", PROGRAM, str(tmp_path)], text=True,
                          stdout=subprocess.PIPE) as program:
        assert program.stdout is not None
        process, work = program.stdout.readline().split()
        assert len(list(tmp_path.iterdir())) == 4 and Path(work).is_dir()
        program.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + WAIT_S
    while (Path(f"/proc/{process}").exists() or Path(work).exists()) \
            and time.monotonic() < deadline:
        time.sleep(0.05)
    assert list(tmp_path.iterdir()) == [] and not Path(work).exists()
