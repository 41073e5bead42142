"""Epilogue sequencer: drains finished tiles row by row while the next tile accumulates."""

from amaranth.hdl import Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ...contract import timing
from ...contract.cells import LINEAR, LSTM
from ...contract.config import SHIFT_BITS, EngineConfig, bits_for
from ...contract.layout import KIND_BITS, epilogue_layout
from ..layouts import drain_signature, is_kind, masks_signature, struct, write_signature
from ..parts import memory


def sample_layout(config: EngineConfig) -> data.StructLayout:
    """What goes with a drained row through the element-wise unit; the same for all channels.

    valid: a row was issued. kind, gate, shift: see ``ElementwiseChannel``. param, cell, dest:
    addresses of its bias and peephole, its cell state, its result (gate o or linear). output, last:
    the result also leaves by the frame output, as the frame's last.
    """
    return data.StructLayout({
        "valid": unsigned(1), "kind": unsigned(KIND_BITS), "gate": unsigned(bits_for(LSTM.size)),
        "shift": unsigned(SHIFT_BITS), "param": unsigned(config.param_address_bits),
        "cell": unsigned(config.cell_address_bits),
        "dest": unsigned(config.activation_address_bits),
        "output": unsigned(1), "last": unsigned(1),
        "active": unsigned(config.channels), "start": unsigned(config.channels)})


class EpilogueSequencer(wiring.Component):
    """Issue the rows of each finished tile, one a cycle, in the program's order.

    A cell's rows i, f, g of cell k and row o of cell k − ``timing.O_SKEW`` take four cycles:
    gate o's peephole reads the new cell state, which by then has been written. A linear tile
    takes one cycle a row.

    Parameters
    ----------
    config: engine configuration; uses lanes, acc_rows, epilogue_depth.

    Members
    -------
    load: store an epilogue (``layouts.write_signature``, ``contract.layout.epilogue_layout``).
    drain: the tiles' rows (``layouts.drain_signature``); ``row`` comes in the cycle of its issue.
    masks: channels of the frames under way (``layouts.masks_signature``).
    room: the frame output takes one more result. output_issued: one is on its way.
    sample: :func:`sample_layout`, in the same cycle as the drain's selects.
    stall_output: a cycle lost waiting for room.

    Latency: ``done`` → first row issued, timing.EPILOGUE_START; issue → select, 1 cycle. A tile
    occupies LSTM.size·(cells + O_SKEW) cycles or as many as it has linear rows.
    """

    def __init__(self, *, config: EngineConfig) -> None:
        self.config = config
        super().__init__({
            "load": In(write_signature(bits_for(config.epilogue_depth),
                                       epilogue_layout(config).bits)),
            "drain": In(drain_signature(config)), "masks": In(masks_signature(config)),
            "room": In(1), "output_issued": Out(1),
            "sample": Out(sample_layout(config)), "stall_output": Out(1),
        })

    @property
    def latency(self) -> int:
        """Cycles from a tile's ``done`` to the issue of its first row."""
        return timing.EPILOGUE_START

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config

        pointer = Signal(bits_for(config.epilogue_depth))
        word = self._word(m, pointer)
        begin, busy, bank, parity = Signal(), Signal(), Signal(), Signal()
        tile = _Tile(config)
        lstm = is_kind(tile.kind, LSTM)
        gate = Signal(range(LSTM.size))
        skew, skewed = Signal(range(timing.O_SKEW + 1)), Signal()
        # The lead position serves gates i, f, g and linear rows, the trail position gate o.
        lead, trail = _Position("lead", config), _Position("trail", config)

        m.d.comb += begin.eq(~busy & self.drain.done.bit_select(bank, 1))
        with m.If(begin):
            m.d.sync += [busy.eq(1), pointer.eq(Mux(word.end, 0, pointer + 1)),
                         parity.eq(parity ^ word.end)]
        # While idle the next tile is loaded over and over, so that only ``busy`` waits for it.
        with m.If(~busy):
            tile.load(m, word, parity, self.masks)
            m.d.sync += [gate.eq(0), skew.eq(timing.O_SKEW), skewed.eq(0)]
            lead.restart(m, word)
            trail.restart(m, word)

        at_o, is_result, valid, stalled, advance, final = (
            Signal(name=name) for name in ("at_o", "is_result", "valid", "stalled", "advance",
                                           "final"))
        m.d.comb += [
            at_o.eq(lstm & (gate == LSTM.result)),
            valid.eq(Mux(at_o, skewed, lead.some)),
            is_result.eq(busy & valid & (at_o | ~lstm)),
            stalled.eq(is_result & tile.output & ~self.room),
            advance.eq(busy & ~stalled),
            final.eq(advance & is_result & Mux(lstm, trail.one, lead.one)),
            self.output_issued.eq(advance & is_result & tile.output),
            self.stall_output.eq(stalled),
        ]
        with m.If(advance):
            m.d.sync += gate.eq(gate + 1)
            with m.If((~lstm | (gate == LSTM.result)) & lead.some):
                lead.advance(m, lstm)
            with m.If(at_o):
                with m.If(skewed):
                    trail.advance(m, lstm)
                with m.Else():
                    m.d.sync += [skew.eq(skew - 1), skewed.eq(skew == 1)]
            with m.If(is_result):
                m.d.sync += tile.dest.eq(tile.dest + 1)
        m.d.sync += self.drain.bank_clear.eq(0)
        with m.If(final):
            m.d.sync += [busy.eq(0), bank.eq(~bank),
                         self.drain.bank_clear.bit_select(bank, 1).eq(1)]

        issued = Signal()
        m.d.comb += issued.eq(advance & valid)
        self._ask(m, tile, Mux(at_o, trail.slot, lead.slot), gate, {
            name: Mux(at_o, getattr(trail, name), getattr(lead, name))
            for name in ("lane", "cell", "param")}, issued, bank, final)
        return m

    def _word(self, m: Module, pointer: Signal) -> data.View:
        """The word of the tile at ``pointer``, in a memory that ``load`` writes."""
        epilogues = memory(m, "epilogues", shape=struct(epilogue_layout(self.config)),
                           depth=self.config.epilogue_depth, style="distributed")
        writer, reader = epilogues.write_port(), epilogues.read_port(domain="comb")
        m.d.comb += [writer.en.eq(self.load.write), writer.addr.eq(self.load.address),
                     writer.data.eq(self.load.data), reader.addr.eq(pointer)]
        return reader.data

    def _ask(self, m: Module, tile: "_Tile", slot: Value, gate: Signal, here: dict[str, Value],
             issued: Signal, bank: Signal, final: Signal) -> None:
        """Ask for the row of a gate ``here``, and say what goes with it."""
        lstm = is_kind(tile.kind, LSTM)
        m.d.comb += self.drain.row.eq(Mux(lstm, (slot << bits_for(LSTM.size)) | gate, slot))
        m.d.sync += [
            self.drain.select_0.eq(Mux(issued & ~bank, here["lane"], 0)),
            self.drain.select_1.eq(Mux(issued & bank, here["lane"], 0)),
            self.sample.valid.eq(issued), self.sample.kind.eq(tile.kind),
            self.sample.gate.eq(gate), self.sample.shift.eq(tile.shift),
            self.sample.cell.eq(here["cell"]),
            self.sample.param.eq(Mux(lstm, here["param"] + gate, here["param"])),
            self.sample.dest.eq(tile.dest), self.sample.output.eq(tile.output),
            self.sample.last.eq(tile.output_last & final),
            self.sample.active.eq(tile.active), self.sample.start.eq(tile.start)]


class _Tile:
    """Registers of the tile that is drained: its word, and the channels of its frame."""

    def __init__(self, config: EngineConfig) -> None:
        self.kind, self.shift = Signal(KIND_BITS), Signal(SHIFT_BITS)
        self.output, self.output_last = Signal(), Signal()
        self.active, self.start = Signal(config.channels), Signal(config.channels)
        self.dest = Signal(config.activation_address_bits)

    def load(self, m: Module, word: data.View, parity: Signal, masks: wiring.PureInterface) -> None:
        """Take a word and the masks of the frame with that parity."""
        m.d.sync += [self.kind.eq(word.kind), self.shift.eq(word.shift),
                     self.output.eq(word.output), self.output_last.eq(word.output_last),
                     self.dest.eq(Mux(parity, word.dest_odd, word.dest_even)),
                     self.active.eq(Mux(parity, masks.active_odd, masks.active_even)),
                     self.start.eq(Mux(parity, masks.start_odd, masks.start_even))]


class _Position:
    """Registers that point at one cell or linear row of the tile: lane (one-hot), slot in the
    lane's bank, cell and param address, how many are left, if some are and if it is the last."""

    def __init__(self, name: str, config: EngineConfig) -> None:
        self.lanes = config.lanes
        self.lane = Signal(config.lanes, name=f"{name}_lane")
        self.slot = Signal(config.row_bits, name=f"{name}_slot")
        self.cell = Signal(config.cell_address_bits, name=f"{name}_cell")
        self.param = Signal(config.param_address_bits, name=f"{name}_param")
        self.left = Signal(bits_for(config.rows_per_tile + 1), name=f"{name}_left")
        self.some, self.one = Signal(name=f"{name}_some"), Signal(name=f"{name}_one")

    def restart(self, m: Module, tile: data.View) -> None:
        """Point at the tile's first unit."""
        m.d.sync += [self.lane.eq(1), self.slot.eq(0), self.cell.eq(tile.cell_base),
                     self.param.eq(tile.param_base), self.left.eq(tile.count),
                     self.some.eq(tile.count != 0), self.one.eq(tile.count == 1)]

    def advance(self, m: Module, lstm: Value) -> None:
        """Point at the next unit."""
        m.d.sync += [self.lane.eq(self.lane.rotate_left(1)),
                     self.slot.eq(self.slot + self.lane[self.lanes - 1]),
                     self.cell.eq(self.cell + 1),
                     self.param.eq(self.param + Mux(lstm, LSTM.size, LINEAR.size)),
                     self.left.eq(self.left - 1), self.some.eq(self.left != 1),
                     self.one.eq(self.left == 2)]
