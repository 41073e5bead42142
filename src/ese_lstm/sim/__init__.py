"""Simulation: the golden model and the exported Verilog, and what both are told and measured by.

| module | what |
|---|---|
| ``golden`` | what the hardware computes, in integers, and how long it takes |
| ``rtl`` | the exported Verilog in Verilator |
| ``trace`` | what a frame writes, in either |
| ``compare`` | the one against the other, value by value |
| ``verify`` | run both and compare |
| ``steady`` | figures of the steady state |
| ``memory`` | how an external memory answers |
"""
