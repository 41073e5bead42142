"""External memory over AXI4: rows of streamed weights out of it, load packets into it.

row_fetch, of read_master and gearbox: rows out of bursts. write_master, of gather: words to
bursts. guard: keeps the port's protocol whatever happens inside.
"""
