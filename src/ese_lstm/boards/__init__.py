"""Boards: pins and Vivado scripts; memory contents for simulators and synthesis.

| module | what |
|---|---|
| ``known`` | the boards, by the name of their module |
| ``board`` | what a board says of itself besides its pins |
| ``adm_pcie_ku3`` | Alpha Data ADM-PCIE-KU3, as an Amaranth platform |
| ``vivado`` | scripts that build the engine out of context, and the board's constraints |
| ``memory_init`` | the engine's memories as ``$readmemh`` files |
"""
