"""Run images on an engine: the golden model, its simulated Verilog or a board, by one API.

| module | what |
|---|---|
| ``engine`` | what a program opens and loads |
| ``stream`` | an utterance on a channel |
| ``batch`` | many utterances |
| ``turns`` | lock, failure and waiting, which the three share |
| ``lockstep`` | which frame runs when, and whose results it gives |
| ``backend``, ``backends`` | what an engine must do; those there are |
| ``device_files`` | the files of an XDMA device, or of a simulated one |
| ``patience``, ``errors`` | when a device says that it hangs; what can go wrong |
"""

from .batch import Batch, BatchReport, run_utterances
from .engine import Engine
from .errors import DeviceError, EngineTimeout, NoFreeChannel
from .patience import Patience
from .stream import Stream

__all__ = ["Batch", "BatchReport", "DeviceError", "Engine", "EngineTimeout", "NoFreeChannel",
           "Patience", "Stream", "run_utterances"]
