"""``ese bench``: measurements, one module a command.

| module | what |
|---|---|
| ``engine``, ``shell``, ``streaming`` | cycles on the exported Verilog |
| ``speed``, ``compress_speed`` | how long simulation and compression take |
| ``ablations``, ``pruning_curve`` | tables and plots of docs/results |
| ``resemblyzer`` | a speaker encoder in 12-bit weights |
| ``options`` | options of several of them |
"""

import click

from .ablations import ablations
from .compress_speed import compress_speed
from .engine import engine
from .pruning_curve import pruning_curve
from .resemblyzer import resemblyzer
from .shell import shell
from .speed import speed
from .streaming import streaming


@click.group()
def bench() -> None:
    """Measure engine, shell, compression; tables and plots."""


for _command in (engine, shell, streaming, speed, compress_speed, ablations, pruning_curve,
                 resemblyzer):
    bench.add_command(_command)
