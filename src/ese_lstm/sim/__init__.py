"""Simulation: the golden model and the exported Verilog."""
