"""Options out of settings: names, defaults, helps and choices are the dataclass's."""

import subprocess
import sys
from dataclasses import fields

import click
from click.testing import CliRunner

from ese_lstm.cli.distill import distill
from ese_lstm.cli.settings import chosen, setting_options
from ese_lstm.cli.train import train
from ese_lstm.contract.config import PRESETS
from ese_lstm.train.options import PruneOptions, Shape, TrainOptions


def test_every_setting_is_an_option_of_train() -> None:
    options = {param.name: param for param in train.params if isinstance(param, click.Option)}
    seen = 0
    for part in (*fields(Shape), *fields(TrainOptions), *fields(PruneOptions)):
        if "help" not in part.metadata:
            continue
        option = options["train_weight_bits" if part.name == "weight_bits" else part.name]
        assert (option.default, option.help) == (part.default, part.metadata["help"])
        seen += 1
    assert seen == 5 + 12 + 4


def test_changes_and_choices() -> None:
    options = {param.name: param for param in distill.params if isinstance(param, click.Option)}
    assert options["epochs"].default == 20 and options["epochs"].help == "Passes over the frames."
    assert options["head_weight"].opts == ["--head-weight"]
    assert options["balance"].type.choices == ("matrix", "tile", "none")
    assert "ramp" not in options and "clip" not in options


def test_values_come_back() -> None:
    @click.command()
    @setting_options(PruneOptions)
    @setting_options(Shape, "peepholes", "delay")
    def command(**values: object) -> None:
        click.echo(chosen(PruneOptions, values, config=PRESETS["tiny"], density=0.2).ramp)
        click.echo(chosen(Shape, values, inputs=7))

    done = CliRunner().invoke(command, ["--ramp", "0.25", "--no-peepholes", "--delay", "1"])
    assert done.output.splitlines() == ["0.25", str(Shape(7, peepholes=False, delay=1))]


def test_help_needs_no_torch() -> None:
    code = ("import sys; sys.modules['torch'] = None\n"
            "from ese_lstm.cli.main import main\nmain(['train', '--help'])")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "--share-bits" in done.stdout
