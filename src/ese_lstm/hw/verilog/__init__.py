"""Verilog of the engine and of its shell, and the JSON beside it.

| module | what |
|---|---|
| ``design`` | what an exported design is made of |
| ``emit`` | a component as Verilog, each repeated unit as one module |
| ``names`` | names of signals as the source has them |
| ``describe`` | what the JSON holds |
| ``export`` | the files of an engine, bare or in its shell |
"""
