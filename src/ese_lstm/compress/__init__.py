"""From a trained LSTM to a packed image: read, prune, calibrate, quantise, compile, pack.

| module | step |
|---|---|
| ``read`` | PyTorch, safetensors and ONNX files to a :class:`network.Network` |
| ``bidirectional`` | a network per layer and direction, and how a host joins them |
| ``prune`` | load-balance-aware pruning |
| ``calibrate`` | ranges of real frames to power-of-two formats |
| ``quantise`` | weights to integers, with the overflow proof |
| ``compile`` | a network to a program of tiles |
| ``pack`` | tiles to lane streams and an image |
| ``share`` | k-means weight sharing; ``share_torch`` fine-tunes centroids |
| ``storage`` | Huffman-coded images, bits per weight by stage |
| ``pipeline`` | all of the above, with a report (``figures``: its checksum) |

``reference`` runs a network in floating point. PyTorch is needed by ``read``, for its own
file formats, and by ``share_torch``; the onnx package by ``read.formats.onnx`` alone.
"""
