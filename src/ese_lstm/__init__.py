"""ESE, the sparse-LSTM speech accelerator, as a generator.

What programs of others use, all of it importable from here; anything deeper may move in any
release. A name's module is imported when the name is first used, so ``import ese_lstm`` is quick,
and only compressing imports torch.

Configuration: EngineConfig, PRESETS, load_config; of the AXI shell ShellConfig, SHELL_PRESETS,
load_shell_config.
Compress: load_network (a checkpoint's LSTM), compress_network with CompressOptions.
Image: Image, read_image, write_image.
Simulate and verify: verify (golden model, cycle model, exported Verilog), quantise_frames,
real_outputs.
Run: Engine (golden model, simulated Verilog or board), its Streams, run_utterances, Patience.
Export: export_verilog.
Errors: EseError, of which NoFreeChannel, EngineTimeout and DeviceError are kinds; SimulationError.
"""

from importlib import import_module
from typing import TYPE_CHECKING

_MODULES = {
    "contract.config": ("EngineConfig", "PRESETS", "load_config"),
    "contract.shell": ("SHELL_PRESETS", "ShellConfig", "load_shell_config"),
    "contract.errors": ("EseError", "SimulationError"),
    "contract.frames": ("quantise_frames", "real_outputs"),
    "contract.image": ("Image", "read_image", "write_image"),
    "compress.read.checkpoint": ("load_network",),
    "compress.network": ("Network",),
    "compress.pipeline": ("CompressOptions", "compress_network"),
    "compress.report": ("CompressReport",),
    "sim.verify": ("Verified", "verify"),
    "runtime": ("Batch", "BatchReport", "DeviceError", "Engine", "EngineTimeout",
                "NoFreeChannel", "Patience", "Stream", "run_utterances"),
    "hw.verilog.export": ("ExportedFiles", "export_verilog"),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    "PRESETS", "SHELL_PRESETS", "Batch", "BatchReport", "CompressOptions", "CompressReport",
    "DeviceError", "Engine", "EngineConfig", "EngineTimeout", "EseError", "ExportedFiles", "Image",
    "Network", "NoFreeChannel", "Patience", "ShellConfig", "SimulationError",
    "Stream", "Verified", "__version__", "compress_network", "export_verilog",
    "load_config", "load_network", "load_shell_config", "quantise_frames", "read_image",
    "real_outputs", "run_utterances", "verify", "write_image",
]

if TYPE_CHECKING:  # the same for type checkers and editors, which don't run __getattr__
    from .compress.network import Network
    from .compress.pipeline import CompressOptions, compress_network
    from .compress.read.checkpoint import load_network
    from .compress.report import CompressReport
    from .contract.config import PRESETS, EngineConfig, load_config
    from .contract.errors import EseError, SimulationError
    from .contract.frames import quantise_frames, real_outputs
    from .contract.image import Image, read_image, write_image
    from .contract.shell import SHELL_PRESETS, ShellConfig, load_shell_config
    from .hw.verilog.export import ExportedFiles, export_verilog
    from .runtime import (
        Batch,
        BatchReport,
        DeviceError,
        Engine,
        EngineTimeout,
        NoFreeChannel,
        Patience,
        Stream,
        run_utterances,
    )
    from .sim.verify import Verified, verify

    __version__: str
else:
    def __getattr__(name: str) -> object:
        if name == "__version__":
            from importlib.metadata import version

            value: object = version("ese-lstm")
        elif name in _MODULE_OF:
            value = getattr(import_module(f".{_MODULE_OF[name]}", __name__), name)
        else:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
