"""Networks measured over densities and widths, one after another, resumable.

| module | what |
|---|---|
| ``journal`` | results that cost time, appended as soon as they are known |
| ``densities`` | one matrix pruned at a time, without retraining |
| ``widths`` | one matrix or the activations narrowed at a time; a choice under a target |
| ``curve`` | error rates and cycles against density, balanced beside plain, retrained or not |
"""
