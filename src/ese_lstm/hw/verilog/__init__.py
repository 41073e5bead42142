"""Verilog of the engine and of its shell, and the JSON beside it.

- ``emit``: a component as Verilog text, each repeated unit as one module
- ``export``: the engine's files
- ``inventory``: modules and memories of a Verilog text
- ``shell_export``: the shell's files
"""
