"""The four files of a Xilinx XDMA device in AXI4-Stream mode, or of a simulated one.

Of ``/dev/xdma0``: ``_user``, registers by 32-bit accesses at their offset; ``_h2c_0``, load
packets; ``_h2c_1``, frames; ``_c2h_0``, results. The driver ends a packet (TLAST) with every
write, and a read is done when it is full or a packet ends. It wants a data buffer aligned and has
a timeout of its own, 10 s unless its parameters ``h2c_timeout`` and ``c2h_timeout`` say otherwise.
"""

import errno
import mmap
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..contract.errors import EseError
from .errors import DeviceError, EngineTimeout

if TYPE_CHECKING:
    from ..sim.rtl.remote_file import RemoteFile

REGISTERS, LOAD, FRAMES, RESULTS = "user", "h2c_0", "h2c_1", "c2h_0"
DATA = (LOAD, FRAMES, RESULTS)

_ERESTARTSYS = 512
"""What the driver lets through when a transfer takes longer than its timeout."""
_TIMES_UP = (_ERESTARTSYS, errno.ETIME, errno.ETIMEDOUT)


class CharacterFile:
    """One of the driver's files. Its calls keep the driver's time, not ours."""

    def __init__(self, path: Path, flags: int) -> None:
        self._file = os.open(path, flags)
        self._buffer = mmap.mmap(-1, mmap.PAGESIZE)
        """On a page of its own, and so aligned for any bus."""

    def pread(self, count: int, offset: int, timeout_s: float) -> bytes:
        """At most ``count`` bytes."""
        got = os.preadv(self._file, [self._room(count)], offset)
        return self._buffer[:got]

    def pwrite(self, data: bytes | memoryview, offset: int, timeout_s: float) -> int:
        """Bytes written."""
        room = self._room(len(data))
        room[:] = data
        return os.pwritev(self._file, [room], offset)

    def close(self) -> None:
        """End of use."""
        os.close(self._file)

    def _room(self, count: int) -> memoryview:
        if count > len(self._buffer):
            self._buffer = mmap.mmap(-1, count)
        return memoryview(self._buffer)[:count]


class DeviceFiles:
    """The device at ``path``; its registers at once, its data files from :meth:`open_data` on.

    Raises EseError if a file is missing, is of the wrong kind or is in use; the calls raise
    DeviceError if the device is gone or a transfer failed, EngineTimeout after timeout_s.
    """

    def __init__(self, path: Path, timeout_s: float) -> None:
        self.path, self._timeout_s = path, timeout_s
        self._open: dict[str, CharacterFile | RemoteFile] = {}
        self._closed = False
        self._open_file(REGISTERS, os.O_RDWR)

    def open_data(self) -> None:
        """Open the files of the three streams anew; what was under way is forgotten."""
        self.close_data()
        # O_TRUNC asks some versions of the driver for TLAST at the end of a write. Of a read it
        # asks for an early end at TLAST, which is not reliable; reads of whole packets need none.
        self._open_file(LOAD, os.O_WRONLY | os.O_TRUNC)
        self._open_file(FRAMES, os.O_WRONLY | os.O_TRUNC)
        self._open_file(RESULTS, os.O_RDONLY)

    def close_data(self) -> None:
        """Close the files of the streams."""
        for name in DATA:
            if name in self._open:
                self._open.pop(name).close()

    def close(self) -> None:
        """Close every file, for good."""
        self._closed = True
        for file in self._open.values():
            file.close()
        self._open.clear()

    def read_register(self, offset: int) -> int:
        """The 32-bit register at a byte offset."""
        with self._calling(REGISTERS):
            return int.from_bytes(self._registers().pread(4, offset, self._timeout_s), "little")

    def write_register(self, offset: int, value: int) -> None:
        """Write the 32-bit register at a byte offset."""
        with self._calling(REGISTERS):
            self._registers().pwrite(value.to_bytes(4, "little"), offset, self._timeout_s)

    def send(self, name: str, packet: NDArray[np.uint8]) -> None:
        """Write one packet, (bytes,), to LOAD or FRAMES; returns when the device has taken it."""
        data = packet.tobytes()
        with self._calling(name):
            count = self._open[name].pwrite(data, 0, self._timeout_s)
        if count != len(data):
            raise DeviceError(f"device: {self._name(name)} must take a packet of {len(data)} bytes "
                              f"whole, but took {count}")

    def receive(self, count: int) -> NDArray[np.uint8]:
        """One packet of results of ``count`` bytes, (count,). Raises DeviceError if it is of
        another length."""
        with self._calling(RESULTS):
            data = self._open[RESULTS].pread(count, 0, self._timeout_s)
        if len(data) != count:
            raise DeviceError(f"device: {self._name(RESULTS)} must give a packet of {count} "
                              f"bytes, but gave {len(data)}")
        return np.frombuffer(data, np.uint8)

    def skip(self, count: int) -> None:
        """Forget a packet of results of at most ``count`` bytes that waits."""
        with self._calling(RESULTS):
            self._open[RESULTS].pread(count, 0, self._timeout_s)

    def _name(self, name: str) -> Path:
        return self.path.with_name(f"{self.path.name}_{name}")

    def _registers(self) -> "CharacterFile | RemoteFile":
        """Open again after a call that took too long, whose answer may come still."""
        if REGISTERS not in self._open and not self._closed:
            self._open_file(REGISTERS, os.O_RDWR)
        return self._open[REGISTERS]

    def _open_file(self, name: str, flags: int) -> None:
        path = self._name(name)
        try:
            mode = path.stat().st_mode
            if stat.S_ISCHR(mode):
                self._open[name] = CharacterFile(path, flags)
            elif stat.S_ISSOCK(mode):
                from ..sim.rtl.remote_file import RemoteFile

                self._open[name] = RemoteFile(path, self._timeout_s)
            else:
                raise EseError(f"device: {path} must be a file of the XDMA driver or of a "
                               f"simulated device, but is neither")
        except FileNotFoundError:
            raise EseError(f"device: {path} must exist, but does not") from None
        except TimeoutError:
            raise EngineTimeout(f"device: {path} must answer within timeout_s="
                                f"{self._timeout_s:g}, but did not") from None
        except OSError as error:
            raise DeviceError(f"device: {path} must be free to open, but {error.strerror}"
                              ) from None

    @contextmanager
    def _calling(self, name: str) -> Iterator[None]:
        try:
            yield
        except KeyError:
            raise DeviceError(f"device: {self._name(name)} must be open, but was closed") from None
        except TimeoutError:
            self._open.pop(name).close()
            raise self._late(name) from None
        except OSError as error:
            if error.errno in _TIMES_UP:
                raise self._late(name) from None
            raise DeviceError(f"device: {self._name(name)} must answer, but {error.strerror}"
                              ) from None

    def _late(self, name: str) -> EngineTimeout:
        return EngineTimeout(f"device: {self._name(name)} must answer within timeout_s="
                             f"{self._timeout_s:g}, but did not")
