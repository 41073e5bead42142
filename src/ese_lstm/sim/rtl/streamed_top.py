"""Engine and weight fetch in one module, to be simulated with a memory and without a host."""

from functools import lru_cache
from typing import Any

from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from ...contract.config import EngineConfig
from ...contract.shell import ShellConfig
from ...hw.axi.memory import read_layout, request_layout
from ...hw.engine import Engine
from ...hw.memory.gearbox import ROW_COUNT_BITS
from ...hw.memory.row_fetch import RowFetch
from ...hw.place import place
from ...hw.verilog import emit

STREAMED_TOP = "ese_streamed"


class StreamedEngine(wiring.Component):
    """The engine's members, but for ``rows`` those of the weight fetch.

    Parameters
    ----------
    config: with a ``fetch_depth``. shell: the memory port's.

    Members
    -------
    As :class:`Engine` (rows_enable is an output) and :class:`RowFetch`: base, count, ar, r;
    fetch_idle, fetch_error.
    """

    def __init__(self, *, config: EngineConfig, shell: ShellConfig) -> None:
        self.config, self.shell = config, shell
        self.emit_key = config, shell
        self._engine = Engine(config=config)
        self._members = {name: member for name, member in self._engine.signature.members.items()
                         if name != "rows"}
        members: dict[str, Any] = dict(self._members)
        super().__init__({
            **members,
            "base": In(shell.memory_address_bits), "count": In(ROW_COUNT_BITS),
            "ar": Out(stream.Signature(request_layout(shell))),
            "r": In(stream.Signature(read_layout(shell))),
            "fetch_idle": Out(1), "fetch_error": Out(1),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        engine, fetch = self._engine, RowFetch(config=self.config, shell=self.shell)
        place(m, platform, "engine", engine, module="ese_engine")
        place(m, platform, "fetch", fetch, module="ese_row_fetch")
        for name, member in self._members.items():
            outer, inner = getattr(self, name), getattr(engine, name)
            if member.is_signature and member.flow == Out:
                connect(m, inner, flipped(outer))
            elif member.is_signature:
                connect(m, flipped(outer), inner)
            elif member.flow == Out:
                m.d.comb += outer.eq(inner)
            else:
                m.d.comb += inner.eq(outer)
        connect(m, fetch.rows, engine.rows)
        connect(m, fetch.ar, flipped(self.ar))
        connect(m, flipped(self.r), fetch.r)
        m.d.comb += [fetch.base.eq(self.base), fetch.count.eq(self.count),
                     fetch.enable.eq(engine.rows_enable),
                     self.fetch_idle.eq(fetch.idle), self.fetch_error.eq(fetch.error)]
        return m


@lru_cache(maxsize=8)
def streamed_verilog(config: EngineConfig, shell: ShellConfig) -> str:
    """Verilog of :class:`StreamedEngine`: the same text for the same configurations."""
    return emit.emit(StreamedEngine(config=config, shell=shell), STREAMED_TOP, config)
