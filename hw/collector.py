"""Collector: brings the drained row of one lane to the element-wise unit (ESE's Assemble)."""

from amaranth.hdl import Module, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..contract.config import EngineConfig

GROUP = 3
"""Lanes joined in the first of the two levels: with two banks each they fill one LUT6 a bit."""


class Collector(wiring.Component):
    """Bitwise OR of all lanes' drained rows; all banks but the selected lane's one give 0.

    Parameters
    ----------
    config: engine configuration; uses lanes, channels, acc_bits.

    Members
    -------
    lane_0_bank_0, lane_0_bank_1 … lane_{N−1}_bank_1: what each lane drains from each bank
    (acc_bits a channel). row: the selected one.

    Latency: 2 cycles. Throughput: one row a cycle.
    """

    def __init__(self, *, config: EngineConfig) -> None:
        self.config = config
        row = data.ArrayLayout(signed(config.acc_bits), config.channels)
        super().__init__({f"lane_{lane}_bank_{bank}": In(row)
                          for lane in range(config.lanes) for bank in range(2)}
                         | {"row": Out(row)})

    latency = 2

    def elaborate(self, platform: object) -> Module:
        m = Module()
        drained = [getattr(self, f"lane_{lane}_bank_{bank}").as_value()
                   for lane in range(self.config.lanes) for bank in range(2)]
        groups = []
        for first in range(0, len(drained), 2 * GROUP):
            group = Signal(len(drained[0]), name=f"group_{first // (2 * GROUP)}",
                           reset_less=True)
            m.d.sync += group.eq(_any(drained[first:first + 2 * GROUP]))
            groups.append(group)
        m.d.sync += self.row.as_value().eq(_any(groups))
        return m


def _any(values: list[Value]) -> Value:
    joined = values[0]
    for value in values[1:]:
        joined = joined | value
    return joined
