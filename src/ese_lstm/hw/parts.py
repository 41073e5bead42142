"""Small parts that several units are built of."""

DISTRIBUTED = {"ram_style": "distributed"}
# Everywhere, a memory of depth 1 is built with depth 2: without an address bit, Yosys would write
# vectors of width 0, which Verilog does not have.
