"""cocotb side of :mod:`lockstep`: apply a stimulus cycle by cycle, record every output."""

from typing import Any

import cocotb

from .bench import Bench, finish, job
from .lockstep import RESET_CYCLES
from .words import from_bytes, to_bytes


@cocotb.test()
async def replay(dut: Any) -> None:
    """Inputs change after a rising edge, outputs are sampled before the next."""
    values = job()
    inputs = [(getattr(dut, key.removeprefix("in_")), from_bytes(table))
              for key, table in values.items() if key.startswith("in_")]
    outputs = [(str(name), getattr(dut, str(name))) for name in values["outputs"]]
    traces: dict[str, list[int]] = {name: [] for name, _ in outputs}
    bench = Bench(dut)
    await bench.reset(RESET_CYCLES, **{handle._name: 0 for handle, _ in inputs})
    for cycle in range(int(values["cycles"])):
        if cycle:
            await bench.rise()
        for handle, stimulus in inputs:
            handle.value = stimulus[cycle]
        await bench.fall()
        for name, handle in outputs:
            traces[name].append(int(handle.value))
    finish({name: to_bytes(trace, len(handle)) for (name, handle), trace in
            zip(outputs, traces.values(), strict=True)})
