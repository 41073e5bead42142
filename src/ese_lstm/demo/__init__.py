"""The main job, end to end: real checkpoint and real speech to verified Verilog (``make demo``)."""
