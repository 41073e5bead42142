"""Training on real speech: data, LSTMP training, pruning with retraining, evaluation.

| module | what |
|---|---|
| ``queen``, ``timit`` | corpora: clips and their texts or labels |
| ``audio``, ``align``, ``features`` | samples, phone alignment, 153 inputs a frame |
| ``dataset``, ``prepare`` | the dataset folder, and filling it (resumable) |
| ``model``, ``streams``, ``trainer``, ``checkpoint`` | LSTMP, truncated BPTT, resumable training |
| ``scoring``, ``evaluate`` | FER, PER, confusion; float or bit-exact fixed point |
| ``pruning``, ``sensitivity`` | masks as parametrizations, schedules, PER against sparsity |
"""
