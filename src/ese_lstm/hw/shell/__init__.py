"""The AXI shell around the engine.

shell: the top. registers: host's view. frame_unpack, result_pack: packets to frames and back.
load_unit: load packets. memory_port: external memory. watchdog: tells a hang. export: Verilog.
"""
