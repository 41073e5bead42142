"""Random module trees: all of a part is computed, or the file refused; the rest is named."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from ese_lstm.compress.bidirectional import run_float_stack
from ese_lstm.compress.read.checkpoint import load_stacks
from ese_lstm.contract.errors import EseError


def under(prefix, module):
    return {f"{prefix}.{key}": value.detach() for key, value in module.state_dict().items()}


class NormedCell(nn.LSTMCell):
    """An LSTMCell whose cell state is normalised: not an LSTM's."""

    def __init__(self, inputs, outputs):
        super().__init__(inputs, outputs)
        self.tail = nn.LayerNorm(outputs)
        nn.init.uniform_(self.tail.weight, 0.5, 2)

    def forward(self, x, state=None):
        h, c = super().forward(x, state)
        return h, self.tail(c)


def run(module, frames):
    """Outputs of a module over frames (T, inputs)."""
    if isinstance(module, nn.RNNBase):
        return module(frames)[0]
    if not isinstance(module, nn.RNNCellBase):
        return module(frames)
    state, outputs = None, []
    for frame in frames:
        state = module(frame[None], state)
        outputs.append((state[0] if isinstance(state, tuple) else state)[0])
    return torch.stack(outputs)


def outside(network):
    """Names that a note says are left to the host."""
    return [name for note in network.notes if "left to the host: " in note
            for name in note.split("left to the host: ")[1].split(", ")]


def random_chain(rng):
    """Modules that read one another, and the names under which a file has them."""
    def width():
        return int(rng.choice([3, 4, 4, 4, 5]))

    makers = [lambda a, b: nn.LSTM(a, b, int(rng.integers(1, 3)), bias=bool(rng.integers(2))),
              *[lambda a, b: nn.LSTMCell(a, b, bias=bool(rng.integers(2)))] * 4,
              lambda a, b: nn.GRU(a, b), lambda a, b: nn.GRUCell(a, b), NormedCell,
              *[nn.Linear] * 2, lambda a, b: nn.Sequential(nn.Linear(a, 7), nn.Linear(7, b)),
              lambda a, b: nn.Sequential(nn.LayerNorm(a), nn.Linear(a, b))]
    widths = [width() for _ in range(int(rng.integers(2, 6)))]
    modules = [makers[int(rng.integers(len(makers)))](a, b) for a, b in pairwise(widths)]
    style = str(rng.choice(["cells.{}", "{}", "lstm{}", "layers.{}.cell", "net.{}", "mixed"]))
    names, counts = [], {}
    for number, module in enumerate(modules):
        kind = "cells" if isinstance(module, nn.RNNBase | nn.RNNCellBase) else "dense"
        place = counts[kind] = counts.get(kind, -1) + 1
        names.append(f"{kind}.{place}" if style == "mixed" else style.format(number))
    return modules, names


def test_all_of_a_part_is_computed_or_the_file_refused(tmp_path, seed):
    """Of random module trees: a file is refused, or every tensor is one that the network computes
    or one that the notes name, and the network's outputs are torch's of those modules in order."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    loaded = refused = 0
    for trial in range(150):
        modules, names = random_chain(rng)
        root = str(rng.choice(["", "", "enc.", "module."]))
        state = {f"{root}{name}.{key}": value.detach() for name, module in
                 zip(names, modules, strict=True) for key, value in module.state_dict().items()}
        if rng.random() < 0.2:
            state[f"{root}{rng.choice(['h0', 'enc.scale', 'mean'])}"] = torch.randn(4)
        path = tmp_path / ("m.pt" if trial % 2 else "m.safetensors")
        save = torch.save if trial % 2 else save_file
        save({key: value.clone() for key, value in state.items()}, path)
        try:
            stack, = load_stacks(path)
        except EseError:
            refused += 1
            continue
        loaded += 1
        used = set(state) - set(outside(stack.network))
        assert used and set(outside(stack.network)) <= set(state)
        assert f"{root}h0" not in state
        touched = [k for k, name in enumerate(names)
                   if any(key.startswith(f"{root}{name}.") for key in used)]
        chain = range(touched[0], touched[-1] + 1)
        assert used == {key for key in state for k in chain
                        if key.startswith(f"{root}{names[k]}.")}, (used, list(state))
        frames = torch.randn(5, stack.network.inputs)
        want = frames
        for k in chain:
            want = run(modules[k], want)
        np.testing.assert_allclose(run_float_stack(stack, frames.numpy()), want.detach().numpy(),
                                   atol=1e-6, rtol=0)
    assert loaded > 10 and refused > 10


@pytest.mark.parametrize("head", [True, False])
def test_a_plain_lstm_is_never_refused(tmp_path, seed, head):
    torch.manual_seed(seed)
    lstm = nn.LSTM(3, 4, 2)
    state = {**under("net.front", nn.Conv1d(3, 3, 3)), **under("net.lstm", lstm)}
    state |= under("net.head", nn.Linear(4, 2)) if head else {}
    torch.save({"state_dict": state, "hyper_parameters": {"lr": [0.1]}}, tmp_path / "m.ckpt")
    stack, = load_stacks(tmp_path / "m.ckpt")
    frames = torch.randn(6, 3)
    np.testing.assert_allclose(run_float_stack(stack, frames.numpy()),
                               lstm(frames)[0].detach().numpy(), atol=1e-6, rtol=0)
    assert set(outside(stack.network)) == {key for key in state if ".lstm." not in key}
