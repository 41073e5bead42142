"""Measurements: libraries behind ``ese bench`` and the tables of ``docs/results``.

| module | what |
|---|---|
| ``workload`` | random networks pruned as the paper's, with frames for every channel |
| ``measure`` | one of them on the exported Verilog, every cycle accounted for |
| ``figures``, ``tables`` | figures of one steady frame; beside the paper's |
| ``study`` | one table, one plot, and the command that makes both |
| ``ablations`` | studies of what each design choice costs or brings |
| ``pruning_curve`` | a study of error rates and cycles against density |
| ``shell``, ``streaming`` | what the AXI shell costs; cycles against memory bandwidth |
| ``speed``, ``compress_speed`` | how long simulation and compression take |
| ``resemblyzer`` | a speaker encoder in 12-bit weights |
| ``resemblyzer_speech`` | its frames of real speech |
| ``wide_inputs`` | inputs of more range than one column holds |
"""
