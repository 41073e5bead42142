"""Collector: brings the drained row of one lane to the element-wise unit (ESE's Assemble)."""

from typing import Any

from amaranth.hdl import Module, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ...contract.config import EngineConfig

JOINED = 6
"""Banks joined in the first of the two levels: three lanes' two fill one LUT6 a bit."""

GROUP = 4
"""Channels of one collector; a module of Amaranth has at most 65,536 input bits, and this many
channels of 128 lanes stay below."""


class Collector(wiring.Component):
    """Bitwise OR of what the lanes drain; all banks but the selected lane's one give 0.

    Parameters
    ----------
    config: engine configuration; uses lanes and acc_bits.
    channels: channels collected here, 1 to GROUP.

    Members
    -------
    lane_0_bank_0, lane_0_bank_1 … lane_{N−1}_bank_1: what each lane drains from each bank
    (acc_bits a channel). row: the selected one.

    Latency: 2 cycles. Throughput: one row a cycle.
    """

    def __init__(self, *, config: EngineConfig, channels: int) -> None:
        self.config = config
        self.emit_key = (config, channels)
        row = data.ArrayLayout(signed(config.acc_bits), channels)
        self._inputs = [f"lane_{lane}_bank_{bank}" for lane in range(config.lanes)
                        for bank in range(2)]
        super().__init__({name: In(row) for name in self._inputs} | {"row": Out(row)})

    latency = 2

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        drained = [getattr(self, name).as_value() for name in self._inputs]
        groups = []
        for first in range(0, len(drained), JOINED):
            group = Signal(len(drained[0]), name=f"group_{first // JOINED}", reset_less=True)
            m.d.sync += group.eq(_any(drained[first:first + JOINED]))
            groups.append(group)
        m.d.sync += self.row.as_value().eq(_any(groups))
        return m


def _any(values: list[Any]) -> Value:
    joined = values[0]
    for value in values[1:]:
        joined = joined | value
    return joined
