"""Names and width of the performance counters, as hardware counts and registers show them."""

COUNTER_BITS = 48

ENGINE_COUNTERS = ("cycles", "frames", "products", "nulls", "starved", "stall_input", "stall_bank",
                   "stall_dependency", "stall_queue", "stall_output")
"""The engine's, since its last start; what each counts: ``hw.counters.counter_layout``."""

SHELL_COUNTERS = {
    "frames_in": "input packets whose frame went to the engine",
    "frames_out": "output packets that left",
    "frames_dropped": "input packets dropped for a wrong length or TKEEP",
    "beats_in": "beats taken on s_axis_frame",
    "beats_out": "beats that left on m_axis_frame",
    "beats_load": "beats taken on s_axis_load",
    "beats_read": "beats read from external memory",
    "beats_write": "beats written to external memory",
    "weight_rows": "rows of streamed weights that the engine took",
}
"""The shell's, since reset, and what each counts; one event a cycle at most."""
