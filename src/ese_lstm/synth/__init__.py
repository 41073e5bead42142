"""Synthesis and timing of the exported Verilog with open tools: estimates without a vendor's."""
