"""Names and width of the performance counters, as hardware counts and registers show them."""

COUNTER_BITS = 48

ENGINE_COUNTERS = {
    "cycles": "clock cycles while running",
    "frames": "frames whose last column was issued",
    "products": "lane slots that fired a weight",
    "nulls": "lane slots that fired a null or filler entry",
    "starved": "lane slots that fired nothing",
    "stall_input": "cycles without a column for want of an input frame",
    "stall_bank": "cycles without a column for want of a drained bank",
    "stall_dependency": "cycles without a column for want of a written result",
    "stall_queue": "cycles without a column for want of queue room",
    "stall_output": "cycles in which the epilogue waited for the frame output",
}
"""The engine's, since its last start, and what each counts. products, nulls and starved add up to
lanes × cycles."""

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
