"""Speech as training reads it.

| module | what |
|---|---|
| ``queen``, ``timit`` | corpora: clips and their texts or labels |
| ``audio``, ``align``, ``features`` | samples, phone alignment, 153 inputs a frame |
| ``dataset``, ``prepare`` | the dataset folder, and filling it (resumable) |
| ``streams`` | utterances side by side on parallel streams |
| ``augment`` | utterances varied from epoch to epoch |
"""
