"""Which outputs of a Verilog module depend on which inputs in the same cycle, bit by bit."""

from collections import defaultdict
from pathlib import Path

from ese_lstm.synth import yosys

GATES = "proc; flatten; opt_clean -purge; simplemap; opt_clean -purge"
"""To single bits but for memories and sums: a field of a wide net must not stand for the others."""

_REGISTERS = ("$_DFF", "$_SDFF", "$_ALDFF", "$_DLATCH", "$dff", "$sdff")


def combinational(verilog: str, top: str, folder: Path) -> set[tuple[str, str]]:
    """Pairs (input, output) of ports with a way from one to the other that no register cuts.

    Files go to ``folder``. Raises EseError if Yosys fails.
    """
    task = yosys.Task(top, verilog, f"hierarchy -top {top}; {GATES}", folder)
    yosys.run_all([task], jobs=1)
    module = yosys.netlist(task)
    sources: dict[int, set[int]] = defaultdict(set)
    for cell in module["cells"].values():
        if cell["type"].startswith(_REGISTERS):
            continue
        pins: dict[str, set[int]] = {"input": set(), "output": set()}
        for port, bits in cell["connections"].items():
            pins[cell["port_directions"][port]] |= {bit for bit in bits if isinstance(bit, int)}
        for bit in pins["output"]:
            sources[bit] |= pins["input"]
    inputs = {bit: name for name, port in module["ports"].items()
              if port["direction"] == "input" for bit in port["bits"]}
    found = set()
    for name, port in module["ports"].items():
        if port["direction"] == "output":
            seen: set[int] = set()
            left = [bit for bit in port["bits"] if isinstance(bit, int)]
            while left:
                bit = left.pop()
                if bit not in seen:
                    seen.add(bit)
                    left += sources[bit]
            found |= {(inputs[bit], name) for bit in seen if bit in inputs}
    return found
