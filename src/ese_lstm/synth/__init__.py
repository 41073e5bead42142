"""Estimates of the exported Verilog with open tools: resources, timing, lint.

| module | what |
|---|---|
| ``estimate``, ``units`` | resources of a whole engine, of units that are mapped once each |
| ``yosys``, ``resources`` | the mapping; its cells as a data sheet counts them |
| ``paths``, ``cells``, ``delays`` | longest paths between registers; cells, and their delays |
| ``ecp5`` | place and route of single units, the open tools' real timing |
| ``lint`` | Verilator's |
| ``report`` | tables and JSON of the estimates |
"""
