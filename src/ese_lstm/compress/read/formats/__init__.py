"""Formats of files that networks are read from: a module each, found by itself.

A module or package here has a ``READER``, a :class:`read.reader.Reader`: the suffixes it accepts
and the function that reads them. Adding one needs no edit elsewhere.

| module | files |
|---|---|
| ``pytorch`` | ``.pt``, ``.pth``, ``.ckpt``, ``.bin``: PyTorch's, needs PyTorch |
| ``safetensors`` | ``.safetensors`` |
| ``onnx`` | ``.onnx``, needs the onnx package |
"""
