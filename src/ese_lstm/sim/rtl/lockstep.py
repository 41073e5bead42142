"""One stimulus in two simulators: a unit in Amaranth's, its exported Verilog in Verilator.

In the package, though only tests use it: those of ``hw`` and of ``sim``, which share no module.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from amaranth.hdl import ResetInserter, Signal
from amaranth.lib import wiring
from amaranth.sim import Simulator

from ...hw.verilog import emit
from .verilator import build, run
from .words import from_bytes, to_bytes

BENCH = "ese_lstm.sim.rtl.lockstep_bench"
RESET_CYCLES = 8
Trace = dict[str, list[int]]
"""Value of each port, by Verilog name, in each cycle; negative values of inputs are allowed."""


def amaranth_trace(unit: wiring.Component, stimulus: Mapping[str, Sequence[int]]) -> Trace:
    """Outputs of ``unit`` in Amaranth's simulator, sampled at the end of every cycle.

    stimulus: value of every input in every cycle, by Verilog port name. Before, reset is held for
    ``RESET_CYCLES`` with inputs of 0.
    """
    reset = Signal()
    signals = {name: (flow, value) for name, flow, value in emit.ports(unit)}
    outputs: Trace = {name: [] for name, (flow, _) in signals.items() if flow == wiring.Out}

    async def bench(context: Any) -> None:
        context.set(reset, 1)
        await context.tick().repeat(RESET_CYCLES)
        context.set(reset, 0)
        for cycle in range(_length(stimulus)):
            for name, values in stimulus.items():
                context.set(signals[name][1], values[cycle])
            for name, trace in outputs.items():
                signal = signals[name][1]
                trace.append(int(context.get(signal)) & ((1 << len(signal)) - 1))
            await context.tick()

    simulator = Simulator(ResetInserter(reset)(unit))
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return outputs


def verilog_trace(unit: wiring.Component, name: str,
                  stimulus: Mapping[str, Sequence[int]]) -> Trace:
    """Outputs of the exported Verilog of ``unit`` in Verilator, as :func:`amaranth_trace`."""
    widths = {port: len(value) for port, _flow, value in emit.ports(unit)}
    outputs = [port for port, flow, _ in emit.ports(unit) if flow == wiring.Out]
    job: dict[str, Any] = {"cycles": _length(stimulus), "outputs": outputs}
    for port, values in stimulus.items():
        job[f"in_{port}"] = to_bytes([value & ((1 << widths[port]) - 1) for value in values],
                                      widths[port])
    result = run(build(emit.emit(unit, name), name), BENCH, job)
    return {port: from_bytes(result[port]) for port in outputs}


def _length(stimulus: Mapping[str, Sequence[int]]) -> int:
    lengths = {len(values) for values in stimulus.values()}
    if len(lengths) != 1:
        raise ValueError(f"stimulus: every input must have as many cycles, got {sorted(lengths)}")
    return lengths.pop()
