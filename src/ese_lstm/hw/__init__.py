"""The engine in Amaranth, one unit a file, built to the contract.

spmv: the sparse matrix-vector unit. elementwise: what follows it, row by row. axi: the ports that
are shared by memory, external memory's masters, and shell, the AXI shell around the engine.
engine: all of it but the shell. loader, frame_input, frame_masks, activations, frame_output,
counters: its other units. layouts: contract's words as structures, interfaces between units.
parts: what several units are built of. place: units that are used more than once. verilog: all of
it as Verilog text.
"""
