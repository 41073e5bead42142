"""Fast AXI masters and slaves for cocotb, one object a port, as parts of a :class:`.bench.Bench`.
They do one transfer at a time."""

from collections.abc import Callable
from typing import Any

from .bench import Pattern, Sink, Source


def _ports(dut: Any, name: str) -> list[Any]:
    """Data, keep, last, valid and ready of an AXI4-Stream."""
    fields = "data", "keep", "last", "valid", "ready"
    return [getattr(dut, f"{name}_t{field}") for field in fields]


class AxisSource(Source):
    """Sends one packet at a time on ``<name>_tdata/tkeep/tlast/tvalid/tready``.

    TKEEP is low for the bytes that a last beat lacks.
    """

    def __init__(self, dut: Any, name: str, pause: Pattern) -> None:
        self._data, self._keep, self._last, valid, ready = _ports(dut, name)
        super().__init__(valid, ready, pause)
        self._sent: Callable[[], None] | None = None

    @property
    def busy(self) -> bool:
        """A packet is under way."""
        return bool(self.words)

    @property
    def stalled(self) -> bool:
        """Nothing to offer, or what is offered was not taken in the last cycle."""
        return self._offered or not self.busy

    def send(self, packet: bytes, sent: Callable[[], None]) -> None:
        """Send this packet, then call ``sent``."""
        self._sent, size = sent, len(self._keep)
        self.words.extend((packet[at:at + size], at + size >= len(packet))
                          for at in range(0, len(packet), size))

    def cancel(self) -> None:
        """Forget the packet, in mid-transfer if it must be."""
        self.words.clear()
        self._offered = False
        self._show()

    def sample(self) -> bool:
        """Whether a beat is taken."""
        taken = super().sample()
        if taken and not self.words and self._sent is not None:
            self._sent()
        return taken

    def _put(self, word: tuple[bytes, bool] | None) -> None:
        if word is not None:
            self._data.value = int.from_bytes(word[0], "little")
            self._keep.value = (1 << len(word[0])) - 1
            self._last.value = int(word[1])


class AxisSink(Sink):
    """Takes beats of ``<name>_t…`` while somebody reads; a read ends when it is full or with
    TLAST. packets: that have ended."""

    def __init__(self, dut: Any, name: str, pause: Pattern) -> None:
        self._data, self._keep, self._last, valid, ready = _ports(dut, name)
        super().__init__(valid, ready, pause)
        self.packets = 0
        self._got = bytearray()
        self._wanted = 0
        self._done: Callable[[bytes], None] | None = None

    @property
    def wants(self) -> bool:
        """A read is under way."""
        return self._done is not None

    @property
    def granularity(self) -> int:
        """Bytes of a beat."""
        return len(self._keep)

    def receive(self, count: int, done: Callable[[bytes], None]) -> None:
        """Read at most ``count`` bytes, a multiple of the granularity, then call ``done``."""
        self._wanted, self._done = count, done

    def cancel(self) -> None:
        """Forget the read and what it got."""
        self._done = None
        self._got.clear()

    def sample(self) -> bool:
        """Whether a beat is taken."""
        if not self._ready_now or self._done is None or not int(self.valid.value):
            return False
        keep, last = int(self._keep.value), bool(int(self._last.value))
        data = int(self._data.value).to_bytes(self.granularity, "little")
        self._got += data[:keep.bit_length()]
        self.packets += last
        if last or len(self._got) >= self._wanted:
            done, self._done = self._done, None
            packet = bytes(self._got)
            self._got.clear()
            done(packet)
        return True


class Ports:
    """Signals ``<name>_…`` of a design, by the rest of their names."""

    def __init__(self, dut: Any, name: str, *ports: str) -> None:
        self._ports = {port: getattr(dut, f"{name}_{port}") for port in ports}

    def _get(self, port: str) -> int:
        return int(self._ports[port].value)

    def _set(self, **values: int) -> None:
        for port, value in values.items():
            self._ports[port].value = value


class AxiLite(Ports):
    """One access at a time on ``<name>_…``; address and data of a write together."""

    def __init__(self, dut: Any, name: str) -> None:
        super().__init__(
            dut, name, "awaddr", "awvalid", "awready", "wdata", "wstrb", "wvalid", "wready",
            "bresp", "bvalid", "bready", "araddr", "arvalid", "arready", "rdata", "rresp", "rvalid",
            "rready")
        self._set(awvalid=0, wvalid=0, bready=0, arvalid=0, rready=0)
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
        """Raise and lower what the access needs."""
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
        """Whether the access ends."""
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
