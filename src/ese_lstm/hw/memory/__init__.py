"""External memory over AXI4: rows of streamed weights out of it, load packets into it.

| module | what |
|---|---|
| ``row_fetch`` | rows of streamed weights out of bursts |
| ``read_master``, ``gearbox`` | of which it is made: bursts, and rows out of their beats |
| ``write_master``, ``gather`` | words of load packets to beats, in bursts |
| ``guard`` | keeps the port's protocol whatever happens inside |
"""
