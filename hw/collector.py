"""Collector: brings the drained row of one lane to the element-wise unit (ESE's Assemble)."""

from amaranth.hdl import Module, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..contract.config import EngineConfig

GROUP = 8
"""Lanes joined in the first of the two levels."""


class Collector(wiring.Component):
    """Bitwise OR of all lanes' drained rows; every lane but the selected one gives 0.

    Parameters
    ----------
    config: engine configuration; uses lanes, channels, acc_bits.

    Members
    -------
    lane_0 … lane_{N−1}: drained row of each lane (acc_bits a channel). row: the selected one.

    Latency: 2 cycles. Throughput: one row a cycle.
    """

    def __init__(self, *, config: EngineConfig) -> None:
        self.config = config
        row = data.ArrayLayout(signed(config.acc_bits), config.channels)
        super().__init__({f"lane_{lane}": In(row) for lane in range(config.lanes)}
                         | {"row": Out(row)})

    latency = 2

    def elaborate(self, platform: object) -> Module:
        m = Module()
        lanes = [getattr(self, f"lane_{lane}").as_value() for lane in range(self.config.lanes)]
        groups = []
        for first in range(0, len(lanes), GROUP):
            group = Signal(len(lanes[0]), name=f"group_{first // GROUP}", reset_less=True)
            m.d.sync += group.eq(_any(lanes[first:first + GROUP]))
            groups.append(group)
        m.d.sync += self.row.as_value().eq(_any(groups))
        return m


def _any(values: list[Value]) -> Value:
    joined = values[0]
    for value in values[1:]:
        joined = joined | value
    return joined
