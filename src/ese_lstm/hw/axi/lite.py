"""AXI4-Lite slave: the five channels of the port on one side, one strobe an access on the other."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

OKAY, SLVERR = 0b00, 0b10
"""BRESP and RRESP."""


def axi_lite_signature(address_bits: int, data_bits: int = 32) -> wiring.Signature:
    """Signals of AXI4-Lite by their names in the standard (ARM IHI 0022, part B), as a master has
    them; a slave's port is ``In`` of it."""
    return wiring.Signature({
        "awaddr": Out(address_bits), "awprot": Out(3), "awvalid": Out(1), "awready": In(1),
        "wdata": Out(data_bits), "wstrb": Out(data_bits // 8), "wvalid": Out(1), "wready": In(1),
        "bresp": In(2), "bvalid": In(1), "bready": Out(1),
        "araddr": Out(address_bits), "arprot": Out(3), "arvalid": Out(1), "arready": In(1),
        "rdata": In(data_bits), "rresp": In(2), "rvalid": In(1), "rready": Out(1),
    })


class AxiLiteSlave(wiring.Component):
    """Take one write and one read at a time, hand each over as one strobe, answer when it is done.

    Parameters
    ----------
    address_bits: bits of a byte address. data_bits: 32 or 64.

    Members
    -------
    bus: the port, :func:`axi_lite_signature`. Address and data of a write may come in any order;
    AWPROT and ARPROT are ignored. READY is low until the access before has been answered, and in
    reset; every output is a register.
    write: high for one cycle with write_address, write_data, write_strobes, which stay until the
    answer was taken. write_done: the write has been done, any time from the next cycle on;
    write_error: answer SLVERR. The same for read, with read_data.

    Latency: AW and W accepted → write, 1 cycle; write_done → BVALID, 1 cycle; the same for AR, read
    and RVALID. Throughput: after BREADY or RREADY, the next access is taken one cycle later.
    """

    latency = 1

    def __init__(self, *, address_bits: int, data_bits: int = 32) -> None:
        if data_bits not in (32, 64):
            raise ValueError(f"data_bits: must be 32 or 64, got {data_bits!r}")
        self.emit_key = (address_bits, data_bits)
        super().__init__({
            "bus": In(axi_lite_signature(address_bits, data_bits)),
            "write": Out(1), "write_address": Out(address_bits), "write_data": Out(data_bits),
            "write_strobes": Out(data_bits // 8), "write_done": In(1), "write_error": In(1),
            "read": Out(1), "read_address": Out(address_bits), "read_done": In(1),
            "read_data": In(data_bits), "read_error": In(1),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bus = self.bus
        address = Signal.like(self.write_address, reset_less=True)
        data = Signal.like(self.write_data, reset_less=True)
        strobes = Signal.like(self.write_strobes, reset_less=True)
        source = Signal.like(self.read_address, reset_less=True)
        answer = Signal.like(self.read_data, reset_less=True)
        m.d.comb += [self.write_address.eq(address), self.write_data.eq(data),
                     self.write_strobes.eq(strobes), self.read_address.eq(source),
                     bus.rdata.eq(answer)]

        # Write: READY falls with what it accepted; both down again open the way for the strobe.
        addressed, supplied = bus.awvalid & bus.awready, bus.wvalid & bus.wready
        have_address, have_data, handed = Signal(), Signal(), Signal()
        m.d.comb += self.write.eq(have_address & have_data & ~handed)
        with m.If(addressed):
            m.d.sync += [address.eq(bus.awaddr), have_address.eq(1), bus.awready.eq(0)]
        with m.If(supplied):
            m.d.sync += [data.eq(bus.wdata), strobes.eq(bus.wstrb), have_data.eq(1),
                         bus.wready.eq(0)]
        with m.If(self.write):
            m.d.sync += handed.eq(1)
        with m.If(self.write_done):
            m.d.sync += [bus.bvalid.eq(1), bus.bresp.eq(Mux(self.write_error, SLVERR, OKAY))]
        with m.If(bus.bvalid & bus.bready):
            m.d.sync += [bus.bvalid.eq(0), have_address.eq(0), have_data.eq(0), handed.eq(0),
                         bus.awready.eq(1), bus.wready.eq(1)]

        # Read.
        m.d.sync += self.read.eq(bus.arvalid & bus.arready)
        with m.If(bus.arvalid & bus.arready):
            m.d.sync += [source.eq(bus.araddr), bus.arready.eq(0)]
        with m.If(self.read_done):
            m.d.sync += [bus.rvalid.eq(1), bus.rresp.eq(Mux(self.read_error, SLVERR, OKAY)),
                         answer.eq(self.read_data)]
        with m.If(bus.rvalid & bus.rready):
            m.d.sync += [bus.rvalid.eq(0), bus.arready.eq(1)]

        # The first cycle after reset.
        opened = Signal()
        m.d.sync += opened.eq(1)
        with m.If(~opened):
            m.d.sync += [bus.awready.eq(1), bus.wready.eq(1), bus.arready.eq(1)]
        return m
