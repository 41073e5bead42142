"""The engine in Amaranth, one unit a file, built to the contract.

| module | what |
|---|---|
| ``engine`` | all of it but the shell |
| ``spmv`` | the sparse matrix-vector unit |
| ``elementwise`` | what follows it, row by row |
| ``loader`` | the load port |
| ``frame_input``, ``frame_masks``, ``frame_output`` | frames coming in, under way, going out |
| ``activations`` | the buffer whose columns the matrix is multiplied with |
| ``counters`` | performance counters |
| ``axi``, ``memory``, ``shell`` | ports, masters of external memory, the shell around it all |
| ``layouts`` | contract's words as structures, interfaces between units |
| ``parts``, ``place`` | what several units are built of; units that are used more than once |
| ``verilog`` | all of it as Verilog text |
"""
