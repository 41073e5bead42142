"""Run images on an engine: the golden model, its simulated Verilog or a board, by one API."""

from .batch import Batch, BatchReport, run_utterances
from .engine import Engine
from .errors import DeviceError, EngineTimeout, NoFreeChannel
from .patience import Patience
from .stream import Stream

__all__ = ["Batch", "BatchReport", "DeviceError", "Engine", "EngineTimeout", "NoFreeChannel",
           "Patience", "Stream", "run_utterances"]
