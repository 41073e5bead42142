"""External memory over AXI4: rows of streamed weights out of it, load packets into it."""
