"""``ese device``: a simulated board for programs that open one."""

import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from ..contract.errors import EseError
from ..contract.shell import SHELL_PRESETS, load_shell_config
from .needs import needs
from .options import KNOBS, chosen_config, config_options
from .terminal import console, percent


@click.command(context_settings={"show_default": True})
@click.argument("folder", type=click.Path(path_type=Path))
@config_options
@click.option("--shell", metavar="NAME|FILE",
              help=f"AXI shell: {', '.join(SHELL_PRESETS)}, or a JSON file; by the engine's "
                   f"channels without it.")
@click.option("--pause", default="none", help="Pauses of all streams: none, rare, half, often or "
                                              "bursts.")
def device(folder: Path, config: str, sets: tuple[str, ...], shell: str | None, pause: str,
           **knobs: Any) -> None:
    """Serve a simulated XDMA device until interrupted.

    Its four files in FOLDER are sockets that carry the calls of the driver's files to the
    exported Verilog in Verilator. Prints the name that Engine.open takes, when it is ready.

    \b
    ese device build/board --config demo-32x4
    python examples/speech_stream.py xdma:build/board/xdma0
    """
    needs("sim")
    engine = chosen_config(config, sets, **{name: knobs[name] for name in KNOBS})
    chosen = None if shell is None else load_shell_config(shell)
    from ..sim.rtl.device import SimulatedDevice

    # A shell starts background jobs with SIGINT ignored; a stop by either signal cleans up.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    with console.status("Starting") as status:
        simulated = SimulatedDevice(engine, chosen, folder=folder, pause=pause,
                                    progress=percent(status))
    with simulated, suppress(KeyboardInterrupt):
        click.echo(f"xdma:{simulated.path}")
        simulated.wait()
        raise EseError(f"device: the simulator must run, but {simulated.ending()}")
