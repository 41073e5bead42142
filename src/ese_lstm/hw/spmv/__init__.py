"""The sparse matrix-vector unit.

| module | what |
|---|---|
| ``unit`` | all of it behind one interface |
| ``broadcaster`` | executes the program's segments, a column a cycle to all lanes |
| ``lane`` | one weight stream and its multipliers |
| ``weight_stream``, ``fetch_fifo`` | entries from memories on the chip and from outside |
| ``decoder`` | entry to weight and row |
| ``mac`` | multipliers and accumulators |
| ``collector`` | drained rows |
"""
