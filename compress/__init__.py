"""From a trained LSTM to a packed image: read, prune, calibrate, quantise, compile, pack.

| module | step |
|---|---|
| ``checkpoint`` | PyTorch and safetensors files to a :class:`network.Network` |
| ``prune`` | load-balance-aware pruning |
| ``calibrate`` | ranges of real frames to power-of-two formats |
| ``quantise`` | weights to integers, with the overflow proof |
| ``compile`` | a network to a program of tiles |
| ``pack`` | tiles to lane streams and an image |
| ``pipeline`` | all of the above, with a report |

``reference`` runs a network in floating point. Only ``checkpoint`` needs PyTorch, and only for
its own file formats.
"""
