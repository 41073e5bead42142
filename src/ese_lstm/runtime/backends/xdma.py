"""An engine behind the files of a device: loading, frames, results, registers."""

import queue
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...contract.config import EngineConfig
from ...contract.errors import EseError
from ...contract.identity import read_identity
from ...contract.image import Image
from ...contract.packets import (
    MEMORY_SECTION,
    descriptor_layout,
    frame_widths,
    load_packets,
    load_sections,
    pack_frames,
    row_beats,
    unpack_results,
)
from ...contract.registers import COUNTERS, offset, register
from ...contract.shell import ShellConfig
from ..backend import Ints, Mask, Options
from ..device_files import FRAMES, LOAD, DeviceFiles
from ..errors import DeviceError, EngineTimeout
from ..patience import DEFAULT_PATIENCE, Patience

NAME = "xdma:PATH"

LONGEST_PACKET = 1 << 20
"""Bytes of words in a load packet. The driver ends a packet every 2,048 descriptors, 8 MiB."""

MEMORY_BASE = 0
"""Where streamed weights go in the device's memory."""

PATIENCE_MINOR = 1
"""Minor version of the register map from which on there are WATCHDOG and MEMORY_TIMEOUT."""

CUT_BEATS = 2
"""Longest packet of results that a reset leaves."""

Packet = NDArray[np.uint8]


def open_backend(path: str, options: Options) -> "DeviceBackend":
    """The device at ``path``, which tells its own configuration."""
    options.refuse_shell(f"xdma:{path}")
    return DeviceBackend(Path(path), options.config, options.timeout_s, options.patience)


class DeviceBackend:
    """The device at ``path``. Opening it resets it.

    A thread of its own reads the results, so that writing a frame never waits for them.
    patience: from the next image loaded on.
    Raises EseError if there is no device, or if its configuration isn't ``config``.
    """

    def __init__(self, path: Path, config: EngineConfig | None, timeout_s: float,
                 patience: Patience = DEFAULT_PATIENCE) -> None:
        self._timeout_s = timeout_s
        self.patience = patience
        self._files = DeviceFiles(path, timeout_s)
        self._reader: _Reader | None = None
        self.config: EngineConfig | None = None
        try:
            device, self._shell = read_identity(self._files.read_register)
            if config is not None and (different := config.differences(device)):
                raise EseError(f"config: must be the device's, but has {different}")
            self.config = self._config = device
            self._reset()
        except BaseException:
            self._files.close()
            raise

    def load(self, image: Image) -> None:
        """Reset the device and send it the image, in packets that the driver leaves whole."""
        self._stop_reader()
        self._files.close_data()
        self._reset()
        self._set_patience()
        self._files.open_data()
        self._end_packets()
        for whole in load_packets(image, self._shell, memory_base=MEMORY_BASE):
            for packet in split(whole, self._config, self._shell):
                self._files.send(LOAD, packet)
        self._until("STATUS", load_busy=0, memory_busy=0, idle=1)
        self.check()
        if self._field("CAPABILITY", "streaming"):
            self._write("WEIGHT_BASE_LO", address=MEMORY_BASE & 0xFFFFFFFF)
            self._write("WEIGHT_BASE_HI", address=MEMORY_BASE >> 32)
            self._write("WEIGHT_ROWS", rows=image.rows)
        self._write("CONTROL", run=1)
        _inputs, outputs = frame_widths(image)
        size = outputs * row_beats(self._config, self._shell) * self._shell.stream_bytes
        self._reader = _Reader(self._files, size)

    def submit(self, frame: Ints, active: Mask, start: Mask) -> None:
        """Write a frame; the thread reads its result."""
        packets = pack_frames(frame[None], active[None], start[None], self._config, self._shell)
        assert self._reader is not None
        self._reader.expect()
        try:
            self._files.send(FRAMES, packets[0])
        except EngineTimeout:
            self.check()
            raise

    def collect(self, timeout_s: float) -> Ints | None:
        """The oldest result that the thread has read; None if there is none in time."""
        assert self._reader is not None
        try:
            packet = self._reader.next(timeout_s)
        except EngineTimeout:
            self.check()
            raise
        if packet is None:
            return None
        result: Ints = unpack_results(packet[None], self._config, self._shell)[0]
        return result

    def check(self) -> None:
        """Raise DeviceError naming the bits of ERROR that are set."""
        found = register("ERROR").unpack(self._files.read_register(offset("ERROR")))
        bits = [f"{name} is set: {register('ERROR').field(name).doc}"
                for name, value in found.items() if value]
        if bits:
            raise DeviceError(f"device: ERROR must be 0, but {'; '.join(bits)}")

    def counters(self) -> dict[str, int]:
        """All counters at one moment."""
        self._write("COUNTER_SNAPSHOT", latch=1)
        self._until("COUNTER_SNAPSHOT", latch=0)
        return {name: self._field(f"COUNTER_{name.upper()}_LO", "count")
                | self._field(f"COUNTER_{name.upper()}_HI", "count") << 32 for name in COUNTERS}

    def close(self) -> None:
        """Stop the engine and close the files, even if the device is gone."""
        self._stop_reader()
        try:
            self._write("CONTROL", run=0)
        except EseError:
            pass  # the device is gone, or already closed
        finally:
            self._files.close()

    def _stop_reader(self) -> None:
        if self._reader is not None:
            self._reader.stop()
            self._reader = None

    def _reset(self) -> None:
        """Reset, twice if the memory came back only while its port was isolated."""
        for _ in range(2):
            self._write("CONTROL", soft_reset=1)
            self._until("CONTROL", soft_reset=0)
            try:
                self._until("STATUS", idle=1, memory_busy=0)
            except EngineTimeout as error:
                if not self._field("STATUS", "memory_busy"):
                    raise
                raise DeviceError(
                    f"device: external memory must answer what it was asked before a reset within "
                    f"timeout_s={self._timeout_s:g}, but did not; reset the memory, then write "
                    f"CONTROL.memory_forget") from error
            if not self._field("STATUS", "memory_isolated"):
                return

    def _set_patience(self) -> None:
        patience = self.patience
        if self._field("VERSION", "minor") < PATIENCE_MINOR:
            if patience != DEFAULT_PATIENCE:
                raise EseError(f"patience: must be {DEFAULT_PATIENCE} for this device, whose "
                               f"register map has no WATCHDOG, got {patience}")
            return
        self._write("WATCHDOG", cycles=patience.watchdog_cycles)
        if self._field("CAPABILITY", "streaming"):
            self._write("MEMORY_TIMEOUT", cycles=patience.memory_timeout_cycles)

    def _end_packets(self) -> None:
        """End what a killed program left: after a reset the shell swallows the rest of a packet
        of which it had a part, up to TLAST, and still offers a result that it had offered."""
        beat = np.zeros(self._shell.stream_bytes, np.uint8)
        for busy, file in (("load_busy", LOAD), ("frame_busy", FRAMES)):
            if self._field("STATUS", busy):
                self._files.send(file, beat)
        self._until("STATUS", load_busy=0, frame_busy=0)
        while self._field("STATUS", "result_busy"):
            self._files.skip(CUT_BEATS * len(beat))

    def _write(self, name: str, **fields: int) -> None:
        self._files.write_register(offset(name), register(name).pack(fields))

    def _field(self, name: str, field: str) -> int:
        return register(name).field(field).get(self._files.read_register(offset(name)))

    def _until(self, name: str, **wanted: int) -> None:
        """Read a register until its fields have these values."""
        deadline = time.monotonic() + self._timeout_s
        while True:
            found = register(name).unpack(self._files.read_register(offset(name)))
            wrong = [field for field, value in wanted.items() if found[field] != value]
            if not wrong:
                return
            if time.monotonic() > deadline:
                raise EngineTimeout(f"device: {name}.{wrong[0]} must become {wanted[wrong[0]]} "
                                    f"within timeout_s={self._timeout_s:g}, but did not")


class _Reader(threading.Thread):
    """Reads the packets of results that are expected, and no more: a read without data would
    run into the driver's timeout."""

    def __init__(self, files: DeviceFiles, size: int) -> None:
        super().__init__(name="ese-results", daemon=True)
        self._files, self._size = files, size
        self._expected = threading.Semaphore(0)
        self._stopping = False
        self._got: queue.SimpleQueue[Packet | EseError] = queue.SimpleQueue()
        self._error: EseError | None = None
        self.start()

    def run(self) -> None:
        while self._expected.acquire() and not self._stopping:
            try:
                self._got.put(self._files.receive(self._size))
            except EseError as error:
                self._got.put(error)
                return

    def expect(self) -> None:
        """One more packet comes."""
        self._expected.release()

    def next(self, timeout_s: float) -> Packet | None:
        """The oldest packet read; None if there is none in time. Raises what reading raised."""
        if self._error is not None:
            raise self._error
        try:
            got = self._got.get(timeout=timeout_s) if timeout_s > 0 else self._got.get_nowait()
        except queue.Empty:
            return None
        if isinstance(got, EseError):
            self._error = got
            raise got
        return got

    def stop(self) -> None:
        """No more packets are wanted."""
        self._stopping = True
        self._expected.release()
        self._files.close_data()  # ends a read that waits
        self.join(timeout=1.0)


def split(packet: Packet, config: EngineConfig, shell: ShellConfig,
          longest: int = LONGEST_PACKET) -> Iterator[Packet]:
    """The same load in packets of at most ``longest`` bytes of words each."""
    layout, beat = descriptor_layout(), shell.stream_bytes
    width = -(-layout.bits // 8)
    head = layout.unpack(int.from_bytes(packet[:width].tobytes(), "little"))
    memory = head["section"] == MEMORY_SECTION
    word = beat if memory else next(
        section.beats(shell) * beat for number, section in load_sections(config).items()
        if number == head["section"])
    body, step = packet[beat:], max(1, longest // word) * word
    for first in range(0, len(body), step):
        address = head["address"] + (first if memory else first // word)
        start = packet[:beat].copy()
        start[:width] = np.frombuffer(
            layout.pack({**head, "address": address}).to_bytes(width, "little"), np.uint8)
        yield np.concatenate([start, body[first:first + step]])
