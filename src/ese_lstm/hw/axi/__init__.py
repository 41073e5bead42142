"""AXI ports, as shell and memory use them.

| module | what |
|---|---|
| ``lite`` | AXI4-Lite slave |
| ``stream`` | beats of AXI4-Stream |
| ``memory`` | channels of AXI4 as streams |
"""
