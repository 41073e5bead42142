"""ONNX files, read with the onnx package alone.

| module | what it does |
|---|---|
| ``file`` | the LSTM stack of a file, as tensors named as PyTorch names them |
| ``graph`` | nodes, constants and sizes of a model |
| ``layers`` | an LSTM node to the tensors of a layer |
| ``values`` | where each value of a graph comes from |
"""

from ...reader import Reader, Stated
from .file import read_onnx

READER = Reader((".onnx",), read_onnx, Stated("iofc", "ONNX", "ONNX's LSTM nodes"))
