"""What an engine can be, one file each: a module here is a backend of its name.

| module | what |
|---|---|
| ``golden`` | the bit-exact model in numpy |
| ``rtl`` | the exported Verilog in Verilator, behind a simulated device of its own |
| ``xdma`` | a board's files of the Xilinx XDMA driver, or a simulated device's |

A module has ``NAME``, as users write it, with ``:PATH`` if it takes a path, and a function
``open_backend(path, options)``.
"""

from importlib import import_module
from pkgutil import iter_modules

from ...contract.errors import EseError
from ..backend import Backend, Options


def open_backend(name: str, options: Options) -> Backend:
    """The backend that :meth:`Engine.open` is asked for. Raises EseError if there is none."""
    kind, _, path = name.partition(":")
    kinds = [module.name for module in iter_modules(__path__)]
    if kind in kinds:
        module = import_module(f".{kind}", __name__)
        if name == module.NAME or (path and module.NAME.endswith(":PATH")):
            opened: Backend = module.open_backend(path, options)
            return opened
    *names, last = [import_module(f".{each}", __name__).NAME for each in kinds]
    raise EseError(f"backend: must be {', '.join(names)} or {last}, got {name!r}")
