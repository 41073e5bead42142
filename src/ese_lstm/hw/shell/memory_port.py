"""AXI4 memory port: streamed weights out of external memory, load packets into it."""

from collections.abc import Iterator

from amaranth.hdl import Module, ResetSignal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import Flow, In, Out, connect, flipped
from amaranth.utils import exact_log2

from ...contract.config import EngineConfig
from ...contract.layout import row_layout
from ...contract.shell import ShellConfig
from ..axi.memory import LENGTH_BITS, memory_beat_layout
from ..layouts import struct
from ..memory.gearbox import ROW_COUNT_BITS
from ..memory.guard import TIMEOUT_BITS, Guard
from ..memory.row_fetch import RowFetch
from ..memory.write_master import WriteMaster
from ..place import place

INCR = 0b01
CACHE = 0b0011
"""AxCACHE: normal memory, modifiable, not cached, as memory controllers are advised to be used."""


def memory_ports(shell: ShellConfig) -> Iterator[tuple[str, Flow, int]]:
    """Signals of the master's port: name, direction, width."""
    for channel in ("aw", "ar"):
        yield from ((f"{channel}id", Out, 1), (f"{channel}addr", Out, shell.memory_address_bits),
                    (f"{channel}len", Out, LENGTH_BITS), (f"{channel}size", Out, 3),
                    (f"{channel}burst", Out, 2), (f"{channel}cache", Out, 4),
                    (f"{channel}prot", Out, 3), (f"{channel}valid", Out, 1),
                    (f"{channel}ready", In, 1))
    yield from (("wdata", Out, shell.memory_bits), ("wstrb", Out, shell.memory_bytes),
                ("wlast", Out, 1), ("wvalid", Out, 1), ("wready", In, 1),
                ("bid", In, 1), ("bresp", In, 2), ("bvalid", In, 1), ("bready", Out, 1),
                ("rid", In, 1), ("rdata", In, shell.memory_bits), ("rresp", In, 2),
                ("rlast", In, 1), ("rvalid", In, 1), ("rready", Out, 1))


class MemoryPort(wiring.Component):
    """Row fetch and write master behind the guard and the signals of one AXI4 master.

    Parameters
    ----------
    config, shell: configurations.

    Members
    -------
    The signals of :func:`memory_ports`. base, count, enable, rows: see ``RowFetch``. words: see
    ``WriteMaster``. read_idle, write_idle: the row fetch, the write master wait for nothing.
    read_error, write_error, read_beat, write_beat: one cycle each; of beats, while the guard is
    open.
    resume: isolation may end as soon as both are idle. forget, timeout, isolated, timed_out,
    stray, busy: see ``Guard``.
    """

    def __init__(self, *, config: EngineConfig, shell: ShellConfig) -> None:
        self.config, self.shell = config, shell
        self.emit_key = config, shell
        members = {name: flow(width) for name, flow, width in memory_ports(shell)}
        super().__init__({
            **members, "base": In(shell.memory_address_bits), "count": In(ROW_COUNT_BITS),
            "enable": In(1), "rows": Out(stream.Signature(struct(row_layout(config)))),
            "words": In(stream.Signature(memory_beat_layout(shell))),
            **{f"{way}_{what}": Out(1) for way in ("read", "write")
               for what in ("idle", "error", "beat")},
            "resume": In(1), "forget": In(1), "timeout": In(TIMEOUT_BITS),
            **{name: Out(1) for name in ("busy", "isolated", "timed_out", "stray")},
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        fetch = RowFetch(config=self.config, shell=self.shell)
        writer = WriteMaster(shell=self.shell)
        place(m, platform, "fetch", fetch, module="ese_row_fetch")
        place(m, platform, "writer", writer, module="ese_write_master")
        connect(m, fetch.rows, flipped(self.rows))
        connect(m, flipped(self.words), writer.words)

        # The guard goes on through a reset of the two masters.
        guard = Guard(shell=self.shell)
        place(m, platform, "guard", guard, module="ese_guard")
        connect(m, fetch.ar, guard.inside_ar)
        connect(m, guard.inside_r, fetch.r)
        connect(m, writer.aw, guard.inside_aw)
        connect(m, writer.w, guard.inside_w)
        connect(m, guard.inside_b, writer.b)
        m.d.comb += [
            guard.reset.eq(ResetSignal()), guard.forget.eq(self.forget),
            guard.resume.eq(self.resume & fetch.idle & writer.idle),
            guard.timeout.eq(self.timeout), self.isolated.eq(guard.isolated),
            self.timed_out.eq(guard.timed_out), self.stray.eq(guard.stray),
            self.busy.eq(guard.busy | ~fetch.idle | ~writer.idle)]

        for name, request in (("aw", guard.aw), ("ar", guard.ar)):
            values = {"addr": request.payload.address, "len": request.payload.length,
                      "size": exact_log2(self.shell.memory_bytes), "burst": INCR, "cache": CACHE,
                      "valid": request.valid}
            m.d.comb += [getattr(self, name + field).eq(value) for field, value in values.items()]
            m.d.comb += request.ready.eq(getattr(self, f"{name}ready"))
        m.d.comb += [
            self.wdata.eq(guard.w.payload.data), self.wstrb.eq(guard.w.payload.strobe),
            self.wlast.eq(guard.w.payload.last), self.wvalid.eq(guard.w.valid),
            guard.w.ready.eq(self.wready),
            guard.b.payload.resp.eq(self.bresp), guard.b.valid.eq(self.bvalid),
            self.bready.eq(guard.b.ready),
            guard.r.payload.data.eq(self.rdata), guard.r.payload.resp.eq(self.rresp),
            guard.r.payload.last.eq(self.rlast), guard.r.valid.eq(self.rvalid),
            self.rready.eq(guard.r.ready),
            fetch.base.eq(self.base), fetch.count.eq(self.count), fetch.enable.eq(self.enable),
            self.read_idle.eq(fetch.idle), self.read_error.eq(fetch.error),
            self.read_beat.eq(self.rvalid & self.rready & guard.open),
            self.write_idle.eq(writer.idle), self.write_error.eq(writer.error),
            self.write_beat.eq(self.wvalid & self.wready & guard.open)]
        return m
