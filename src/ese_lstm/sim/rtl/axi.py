"""Fast AXI masters and slaves for cocotb, one object a port: driven after the rising edge, sampled
at the falling edge, as :mod:`.bench` does. They do one transfer at a time."""

from collections.abc import Callable
from typing import Any

from .bench import Pattern


class AxisSource:
    """Sends one packet at a time on ``<name>_tdata/tkeep/tlast/tvalid/tready``.

    TKEEP is low for the bytes that a last beat lacks. progress: beats taken since start.
    """

    def __init__(self, dut: Any, name: str, pause: Pattern) -> None:
        self._data, self._keep, self._last, self._valid, self._ready = (
            getattr(dut, f"{name}_t{field}")
            for field in ("data", "keep", "last", "valid", "ready"))
        self.valid, self.ready = self._valid, self._ready
        self._bytes = len(self._keep)
        self._pause = pause
        self._packet = b""
        self._at = 0
        self._sent: Callable[[], None] | None = None
        self._offered = False
        self._valid.value = 0

    @property
    def busy(self) -> bool:
        """A packet is under way."""
        return self._sent is not None

    @property
    def stalled(self) -> bool:
        """Nothing to offer, or what is offered was not taken in the last cycle."""
        return self._offered or not self.busy

    def send(self, packet: bytes, sent: Callable[[], None]) -> None:
        """Send this packet, then call ``sent``."""
        self._packet, self._at, self._sent = packet, 0, sent

    def cancel(self) -> None:
        """Forget the packet, in mid-transfer if it must be."""
        if self._sent is not None:
            self._sent = None
            self._offered = False
            self._valid.value = 0

    def drive(self) -> None:
        """After a rising edge."""
        if self._offered:
            return
        if self._sent is not None and not next(self._pause):
            beat = self._packet[self._at:self._at + self._bytes]
            self._data.value = int.from_bytes(beat, "little")
            self._keep.value = (1 << len(beat)) - 1
            self._last.value = int(self._at + self._bytes >= len(self._packet))
            self._valid.value = 1
            self._offered = True
        else:
            self._valid.value = 0

    def sample(self) -> bool:
        """At a falling edge: whether the coming rising edge takes a beat."""
        if not self._offered or not int(self._ready.value):
            return False
        self._offered = False
        self._at += self._bytes
        if self._at >= len(self._packet) and self._sent is not None:
            sent, self._sent = self._sent, None
            sent()
        return True


class AxisSink:
    """Takes beats of ``<name>_t…`` while somebody reads; a read ends when it is full or with
    TLAST."""

    def __init__(self, dut: Any, name: str, pause: Pattern) -> None:
        self._data, self._keep, self._last, self._valid, self._ready = (
            getattr(dut, f"{name}_t{field}")
            for field in ("data", "keep", "last", "valid", "ready"))
        self.valid = self._valid
        self._bytes = len(self._keep)
        self._pause = pause
        self._got = bytearray()
        self._wanted = 0
        self._done: Callable[[bytes], None] | None = None
        self._ready_now = False
        self._ready.value = 0

    @property
    def busy(self) -> bool:
        """A read is under way."""
        return self._done is not None

    @property
    def granularity(self) -> int:
        """Bytes of a beat."""
        return self._bytes

    def receive(self, count: int, done: Callable[[bytes], None]) -> None:
        """Read at most ``count`` bytes, a multiple of the granularity, then call ``done``."""
        self._wanted, self._done = count, done

    def cancel(self) -> None:
        """Forget the read and what it got."""
        self._done = None
        self._got.clear()

    def drive(self) -> None:
        """After a rising edge."""
        ready = self._done is not None and not next(self._pause)
        if ready != self._ready_now:
            self._ready.value = int(ready)
            self._ready_now = ready

    def sample(self) -> tuple[bool, bool]:
        """At a falling edge: whether the coming rising edge takes a beat, and the last one."""
        if not self._ready_now or self._done is None or not int(self._valid.value):
            return False, False
        keep, last = int(self._keep.value), bool(int(self._last.value))
        self._got += int(self._data.value).to_bytes(self._bytes, "little")[:keep.bit_length()]
        if last or len(self._got) >= self._wanted:
            done, self._done = self._done, None
            data = bytes(self._got)
            self._got.clear()
            done(data)
        return True, last


class AxiLite:
    """One access at a time on ``<name>_…``; address and data of a write together."""

    def __init__(self, dut: Any, name: str) -> None:
        self._ports = {port: getattr(dut, f"{name}_{port}") for port in (
            "awaddr", "awvalid", "awready", "wdata", "wstrb", "wvalid", "wready", "bresp",
            "bvalid", "bready", "araddr", "arvalid", "arready", "rdata", "rresp", "rvalid",
            "rready")}
        for port in ("awvalid", "wvalid", "bready", "arvalid", "rready"):
            self._ports[port].value = 0
        for port in ("awprot", "arprot"):
            getattr(dut, f"{name}_{port}").value = 0
        self._offered: set[str] = set()
        self._raise: set[str] = set()
        self._fall: set[str] = set()
        self._answer = ""
        self._done: Callable[[int, int], None] | None = None

    @property
    def busy(self) -> bool:
        """An access is under way."""
        return self._done is not None

    def write(self, address: int, data: int, done: Callable[[int, int], None]) -> None:
        """Write 32 bits, then call ``done`` with 0 and BRESP."""
        self._set(awaddr=address, wdata=data, wstrb=0b1111)
        self._raise, self._answer, self._done = {"aw", "w"}, "b", done

    def read(self, address: int, done: Callable[[int, int], None]) -> None:
        """Read 32 bits, then call ``done`` with RDATA and RRESP."""
        self._set(araddr=address)
        self._raise, self._answer, self._done = {"ar"}, "r", done

    def drive(self) -> None:
        """After a rising edge."""
        for channel in self._fall:
            self._set(**{f"{channel}valid" if channel in ("aw", "w", "ar")
                         else f"{channel}ready": 0})
        for channel in self._raise:
            self._set(**{f"{channel}valid": 1})
        if self._raise:
            self._set(**{f"{self._answer}ready": 1})
        self._offered |= self._raise
        self._raise, self._fall = set(), set()

    def sample(self) -> bool:
        """At a falling edge: whether the coming rising edge ends the access."""
        if self._done is None:
            return False
        taken = {channel for channel in self._offered if self._get(f"{channel}ready")}
        self._offered -= taken
        self._fall |= taken
        if not self._get(f"{self._answer}valid"):
            return False
        self._fall.add(self._answer)
        done, self._done = self._done, None
        done(self._get("rdata") if self._answer == "r" else 0, self._get(f"{self._answer}resp"))
        return True

    def _get(self, port: str) -> int:
        return int(self._ports[port].value)

    def _set(self, **values: int) -> None:
        for port, value in values.items():
            self._ports[port].value = value
