"""ESE, the sparse-LSTM speech accelerator, as a generator.

What programs of others use, all of it importable from here; anything deeper may move in any
release. A name's module is imported when the name is first used, so ``import ese_lstm`` is quick,
and only compressing imports torch.

Configuration: EngineConfig, PRESETS, load_config; of the AXI shell ShellConfig, SHELL_PRESETS,
load_shell_config.
Compress: load_network (a checkpoint's LSTM: a Network of Layers), load_stacks (a Stack for each
direction of a bidirectional one, which run_joined runs together), compress_network with
CompressOptions, which gives a CompressReport.
Image: Image with its Manifest, read_image (UnverifiedImage warns of old ones), write_image.
Simulate and verify: verify (golden model, cycle model, exported Verilog) gives Verified with a
Comparison; quantise_frames, real_outputs.
Run: Engine (golden model, simulated Verilog or board), its Streams, run_utterances (a Batch with a
BatchReport), Patience.
Export: export_verilog, which gives ExportedFiles.
Errors: EseError, of which NoFreeChannel, EngineTimeout and DeviceError are kinds; SimulationError.
"""

from importlib import import_module
from typing import TYPE_CHECKING

_MODULES = {
    "contract.config": ("EngineConfig", "PRESETS", "load_config"),
    "contract.shell": ("SHELL_PRESETS", "ShellConfig", "load_shell_config"),
    "contract.errors": ("EseError", "SimulationError"),
    "contract.frames": ("quantise_frames", "real_outputs"),
    "contract.image": ("Image", "UnverifiedImage", "read_image", "write_image"),
    "contract.manifest": ("Manifest",),
    "compress.bidirectional": ("run_joined",),
    "compress.read.checkpoint": ("Stack", "load_network", "load_stacks"),
    "compress.network": ("Layer", "Network"),
    "compress.pipeline": ("CompressOptions", "compress_network"),
    "compress.report": ("CompressReport",),
    "sim.compare": ("Comparison",),
    "sim.verify": ("Verified", "verify"),
    "runtime": ("Batch", "BatchReport", "DeviceError", "Engine", "EngineTimeout",
                "NoFreeChannel", "Patience", "Stream", "run_utterances"),
    "hw.verilog.export": ("ExportedFiles", "export_verilog"),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    "PRESETS", "SHELL_PRESETS", "Batch", "BatchReport", "Comparison", "CompressOptions",
    "CompressReport", "DeviceError", "Engine", "EngineConfig", "EngineTimeout", "EseError",
    "ExportedFiles", "Image", "Layer", "Manifest", "Network", "NoFreeChannel", "Patience",
    "ShellConfig", "SimulationError", "Stack", "Stream", "UnverifiedImage", "Verified",
    "__version__", "compress_network", "export_verilog", "load_config", "load_network",
    "load_shell_config", "load_stacks", "quantise_frames", "read_image", "real_outputs",
    "run_joined", "run_utterances", "verify", "write_image",
]

if TYPE_CHECKING:  # the same for type checkers and editors, which don't run __getattr__
    from .compress.bidirectional import run_joined
    from .compress.network import Layer, Network
    from .compress.pipeline import CompressOptions, compress_network
    from .compress.read.checkpoint import Stack, load_network, load_stacks
    from .compress.report import CompressReport
    from .contract.config import PRESETS, EngineConfig, load_config
    from .contract.errors import EseError, SimulationError
    from .contract.frames import quantise_frames, real_outputs
    from .contract.image import Image, UnverifiedImage, read_image, write_image
    from .contract.manifest import Manifest
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
    from .sim.compare import Comparison
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
