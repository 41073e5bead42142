"""Small parts that several units are built of."""

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.memory import Memory, ReadPort

from ..contract.timing import PREFETCH


def memory(m: Module, name: str, *, shape: object, depth: int, style: str) -> Memory:
    """A memory of zeros as submodule ``name``, built of ``style``: ``block`` or ``distributed``.

    A memory of depth 1 is built with depth 2: without an address bit, Yosys would write vectors of
    width 0, which Verilog does not have.
    """
    m.submodules[name] = unit = Memory(shape=shape, depth=max(depth, 2), init=[],
                                       attrs={"ram_style": style})
    return unit


def following(pointer: Value, last: Value | int) -> Value:
    """The place after ``pointer`` in a round from 0 to ``last``."""
    return Mux(pointer == last, 0, pointer + 1)


def prefetch(m: Module, reader: ReadPort, entries: wiring.PureInterface, some: Value | None = None
             ) -> Signal:
    """Offer what ``reader`` reads as the stream ``entries``, a word a cycle, in order, 3 cycles
    after its address. Returned: the word addressed is fetched in this cycle, so address the next;
    only if there are ``some``.
    """
    m.submodules.prefetch = fifo = SyncFIFO(width=len(reader.data), depth=PREFETCH)
    outstanding = Signal(range(PREFETCH + 1))
    fetch, take, read, ready = (Signal(name=name) for name in ("ahead", "take", "read", "ready"))
    word = Signal(len(reader.data), reset_less=True)
    room = outstanding != PREFETCH
    m.d.comb += [fetch.eq(room if some is None else some & room),
                 take.eq(entries.valid & entries.ready), reader.en.eq(1),
                 fifo.w_en.eq(ready), fifo.w_data.eq(word)]
    m.d.sync += [outstanding.eq(outstanding + fetch - take), read.eq(fetch), ready.eq(read),
                 word.eq(reader.data)]
    wiring.connect(m, fifo.r_stream, entries)
    return fetch
