"""AXI4 read master: the same stretch of memory, over and over, several bursts ahead."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from ...contract.shell import ShellConfig
from ...contract.timing import REQUEST
from ..axi.memory import RESPONSE_ERROR, page_beats, read_layout, request_layout

BEAT_COUNT_BITS = 40


class ReadMaster(wiring.Component):
    """Read ``beats`` beats from ``base`` on, then again, while ``run``.

    Bursts are as long as ``burst_beats``, the end of the stretch and the next 4-KiB boundary
    allow; ``outstanding`` of them are asked for ahead. When ``run`` falls, data under way are
    taken from the bus and dropped; then the master is idle, and may start over.

    Parameters
    ----------
    shell: shell configuration; uses memory_bits, memory_address_bits, burst_beats, outstanding.

    Members
    -------
    base: byte address; its bits below a beat are ignored. beats: at least 1. Both stay the same
    from the cycle of ``run`` until idle. run: see above; a fall of one cycle is enough to start
    over. live: data taken now belong to this run. idle: nothing is asked for or under way.
    ar, r: ``request_layout`` and ``read_layout`` of :mod:`axi.memory`. data: the beats, in order.
    error: a beat of this cycle came with SLVERR or DECERR; its data go on as they are.

    Latency: run → first request, 3 cycles; beat of R → data, combinational. Throughput: a beat a
    cycle, a burst every 3 cycles.
    """

    latency = REQUEST

    def __init__(self, *, shell: ShellConfig) -> None:
        self.shell = shell
        self.emit_key = shell
        super().__init__({
            "base": In(shell.memory_address_bits), "beats": In(BEAT_COUNT_BITS), "run": In(1),
            "live": Out(1), "idle": Out(1), "error": Out(1),
            "ar": Out(stream.Signature(request_layout(shell))),
            "r": In(stream.Signature(read_layout(shell))),
            "data": Out(stream.Signature(shell.memory_bits)),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        shell = self.shell
        low = exact_log2(shell.memory_bytes)
        page = page_beats(shell)

        address = Signal(shell.memory_address_bits - low, reset_less=True)
        remaining = Signal(BEAT_COUNT_BITS, reset_less=True)
        limit = Signal(range(shell.burst_beats + 1), reset_less=True)
        length = Signal.like(limit, reset_less=True)
        outstanding = Signal(range(shell.outstanding + 1))
        room, stopping, stop, taken = Signal(init=1), Signal(), Signal(), Signal()
        asked = Signal()
        next_outstanding = Signal.like(outstanding)
        m.d.comb += [
            taken.eq(self.r.valid & self.r.ready),
            asked.eq(self.ar.valid & self.ar.ready),
            next_outstanding.eq(outstanding + asked
                                - (taken & self.r.payload.last & outstanding.any())),
            stop.eq(~self.run | stopping),
            self.ar.payload.address.eq(Cat(Const(0, low), address)),
            self.ar.payload.length.eq(length - 1),
            self.data.payload.eq(self.r.payload.data), self.data.valid.eq(self.r.valid & self.live),
            self.r.ready.eq(self.data.ready | ~self.live),
            self.error.eq(taken & self.r.payload.resp[RESPONSE_ERROR])]
        m.d.sync += [outstanding.eq(next_outstanding),
                     room.eq(next_outstanding != shell.outstanding)]

        to_page = page - address[:exact_log2(page)]
        with m.FSM() as fsm:
            m.d.comb += self.live.eq(~stop & ~fsm.ongoing("idle"))
            m.d.comb += self.idle.eq(fsm.ongoing("idle"))
            with m.State("idle"):
                m.d.sync += [address.eq(self.base[low:]), remaining.eq(self.beats),
                             stopping.eq(0)]
                with m.If(self.run):
                    m.next = "limit"
            with m.State("limit"):
                m.d.sync += limit.eq(Mux(to_page < shell.burst_beats, to_page, shell.burst_beats))
                m.next = "length"
                with m.If(stop):
                    m.next = "drain"
            with m.State("length"):
                m.d.sync += length.eq(Mux(remaining < limit, remaining, limit))
                with m.If(stop):
                    m.next = "drain"
                with m.Elif(room):
                    m.next = "ask"
            with m.State("ask"):
                m.d.comb += self.ar.valid.eq(1)
                with m.If(self.ar.ready):
                    m.d.sync += [address.eq(address + length), remaining.eq(remaining - length)]
                    with m.If(remaining == length):
                        m.d.sync += [address.eq(self.base[low:]), remaining.eq(self.beats)]
                    m.next = "limit"
            with m.State("drain"), m.If(outstanding == 0):
                m.next = "idle"
        with m.If(~self.run & ~self.idle):
            m.d.sync += stopping.eq(1)
        return m
