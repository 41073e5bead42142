"""From drained rows to cell states and results.

| module | what |
|---|---|
| ``epilogue`` | executes the program's epilogues, a row a cycle |
| ``unit`` | all channels, parameters and cells |
| ``channel`` | the arithmetic of one |
| ``activation`` | σ and tanh |
| ``numeric`` | rounding and saturation |
"""
