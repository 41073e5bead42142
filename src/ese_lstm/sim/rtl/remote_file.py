"""Device files over Unix sockets: each socket carries the read and write calls of one file.

A call is a header (operation, bytes, offset) and, for a write, the data; its answer is the call's
result, a count or a negative errno, and, for a read, as many bytes. One call at a time; whoever
opens a file that is open is told EBUSY. This is all that stands between a program and the
simulated device in place of a kernel driver, so a call means what it means to the driver.
"""

import errno
import os
import select
import socket
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from selectors import EVENT_READ, BaseSelector

READ, WRITE = 1, 2
ERESTARTSYS = 512
"""What the driver lets through when a transfer takes longer than its timeout."""
_CALL = struct.Struct("<BxxxIQ")
_RESULT = struct.Struct("<q")
_PIECE = 1 << 16


class RemoteFile:
    """An open file of a simulated device; raises OSError as ``os.pread`` and ``os.pwrite`` do,
    and TimeoutError when a call's time is up, after which the file is of no more use."""

    def __init__(self, path: Path, timeout_s: float) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._deadline = time.monotonic() + timeout_s
        try:
            self._wait()
            self._socket.connect(str(path))
            self._result()
        except BaseException:
            self._socket.close()
            raise

    def pread(self, count: int, offset: int, timeout_s: float) -> bytes:
        """At most ``count`` bytes."""
        self._deadline = time.monotonic() + timeout_s
        self._send(_CALL.pack(READ, count, offset))
        return self._receive(self._result())

    def pwrite(self, data: bytes | memoryview, offset: int, timeout_s: float) -> int:
        """Bytes written."""
        self._deadline = time.monotonic() + timeout_s
        self._send(_CALL.pack(WRITE, len(data), offset))
        self._send(data)
        return self._result()

    def close(self) -> None:
        """End of use; wakes a thread that waits in a call."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _result(self) -> int:
        (result,) = _RESULT.unpack(self._receive(_RESULT.size))
        if result < 0:
            raise OSError(-result, os.strerror(-result))
        return int(result)

    def _send(self, data: bytes | memoryview) -> None:
        self._wait()
        self._socket.sendall(data)

    def _receive(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            self._wait()
            piece = self._socket.recv(count - len(data))
            if not piece:
                raise ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))
            data += piece
        return data

    def _wait(self) -> None:
        """What comes next must not take longer than what is left."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._socket.settimeout(left)


@dataclass(frozen=True)
class Call:
    """A call that waits for its answer; data: of a write."""

    operation: int
    count: int
    offset: int
    data: bytes
    since: float
    """``time.monotonic`` when it came."""


class ServedFile:
    """The other end: one file in a folder, served without ever blocking.

    call: what the program waits for, None while it does something else. gone: called with
    this file when the program is gone, so that what it left can be dropped.
    """

    def __init__(self, path: Path, selector: BaseSelector,
                 gone: Callable[["ServedFile"], None] = lambda file: None) -> None:
        self.path = path
        self.call: Call | None = None
        self._selector, self._gone = selector, gone
        self._connection: socket.socket | None = None
        self._inbox = bytearray()
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.setblocking(False)
        early = path.with_name(f".{path.name}")
        self._listener.bind(str(early))
        self._listener.listen()
        early.rename(path)
        selector.register(self._listener, EVENT_READ, self._accept)

    @property
    def open(self) -> bool:
        """A program has the file open."""
        return self._connection is not None

    def answer(self, result: int, data: bytes = b"") -> None:
        """Result of ``call``: a count, with a read's data, or a negative errno."""
        assert self.call is not None
        self.call = None
        self._reply(_RESULT.pack(result) + data)

    def close(self) -> None:
        """Remove the file."""
        self._drop()
        self._selector.unregister(self._listener)
        self._listener.close()
        self.path.unlink(missing_ok=True)

    def _accept(self) -> None:
        connection, _address = self._listener.accept()
        if self._hung_up():
            self._drop()
        if self._connection is not None:
            connection.send(_RESULT.pack(-errno.EBUSY))
            connection.close()
            return
        self._connection = connection
        self._selector.register(connection, EVENT_READ, self._receive)
        self._reply(_RESULT.pack(0))

    def _receive(self) -> None:
        if self._connection is None:  # gone since the selector looked
            return
        try:
            data = b"" if self._hung_up() else self._connection.recv(_PIECE)
        except OSError:
            data = b""
        if not data:
            self._drop()
            return
        self._inbox += data
        if len(self._inbox) < _CALL.size:
            return
        operation, count, offset = _CALL.unpack_from(self._inbox)
        size = _CALL.size + (count if operation == WRITE else 0)
        if len(self._inbox) >= size:
            payload = bytes(self._inbox[_CALL.size:size])
            del self._inbox[:size]
            self.call = Call(operation, count, offset, payload, time.monotonic())

    def _reply(self, data: bytes) -> None:
        """The program waits for this, so it takes it: blocking is short."""
        assert self._connection is not None
        self._connection.setblocking(True)
        try:
            self._connection.sendall(data)
        except OSError:
            self._drop()

    def _hung_up(self) -> bool:
        """The program closed the file, whatever of its last call lies here unread."""
        if self._connection is None:
            return False
        poller = select.poll()
        poller.register(self._connection, select.POLLRDHUP)
        return bool(poller.poll(0))

    def _drop(self) -> None:
        connection, self._connection, self.call = self._connection, None, None
        self._inbox.clear()
        if connection is not None:
            self._selector.unregister(connection)
            connection.close()
            self._gone(self)
