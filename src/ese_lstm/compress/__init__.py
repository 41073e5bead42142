"""From a trained network to a packed image: every weight passes each step once.

| module | step |
|---|---|
| ``read`` | files of PyTorch, safetensors and ONNX to a :class:`network.Network` |
| ``prune`` | load-balance-aware pruning |
| ``inputs`` | calibration frames, and a power of two for each input column |
| ``share`` | k-means weight sharing; ``share_torch`` fine-tunes centroids |
| ``widths`` | single matrices rounded to fewer bits |
| ``calibrate`` | ranges of real frames to power-of-two formats |
| ``quantise`` | weights to integers, with the overflow proof |
| ``compile`` | a network to a program of tiles; ``decompile`` is the way back |
| ``resident`` | which weights stay in the lanes' memories |
| ``pack`` | tiles to lane streams and an image; ``rows``: to rows of external memory |
| ``storage`` | Huffman-coded images, bits per weight by stage |
| ``pipeline`` | all of the above; ``figures`` measures it, ``report`` tells it |

``network`` is what all of them work on, ``matrices`` its matrices by name; ``reference`` runs it in
floating point, ``bidirectional`` joins one per layer and direction, ``synthetic`` makes random ones
for tests and benchmarks. PyTorch is needed by ``read``, for its own file formats, and by
``share_torch``; the onnx package by ``read.formats.onnx`` alone.
"""
