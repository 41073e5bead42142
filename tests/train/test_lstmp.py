import numpy as np
import pytest
import torch

from ese_lstm.compress.reference import run_float
from ese_lstm.train.lstmp import Lstmp
from ese_lstm.train.pruning import load_network_into, network_from


def random_net(projection: int, layers: int, peepholes: bool) -> Lstmp:
    net = Lstmp(3, 5, projection, layers, peepholes).double()
    for parameter in net.parameters():
        torch.nn.init.uniform_(parameter, -0.8, 0.8)
    return net


@pytest.mark.parametrize("projection, layers, peepholes", [(2, 1, True), (0, 1, False),
                                                           (3, 2, True), (0, 2, True)])
def test_equals_the_reference(projection: int, layers: int, peepholes: bool, seed: int) -> None:
    torch.manual_seed(seed)
    net = random_net(projection, layers, peepholes)
    frames = torch.randn(9, 4, 3, dtype=torch.double)
    keep = torch.ones(9, 4, 1, dtype=torch.double)
    outputs, _ = net(frames, net.zero_state(4), keep)
    expected = run_float(network_from(net), frames.numpy().transpose(0, 2, 1)).outputs
    np.testing.assert_allclose(outputs.detach().numpy().transpose(0, 2, 1), expected,
                               rtol=0, atol=1e-12)
    assert expected.size > 0


def test_float32_equals_the_reference(seed: int) -> None:
    torch.manual_seed(seed)
    net = Lstmp(20, 32, 16)
    frames = torch.randn(30, 2, 20)
    outputs, _ = net(frames, net.zero_state(2), torch.ones(30, 2, 1))
    expected = run_float(network_from(net), frames.numpy().transpose(0, 2, 1)).outputs
    np.testing.assert_allclose(outputs.detach().numpy().transpose(0, 2, 1), expected, atol=1e-6)


@pytest.mark.parametrize("projection, layers", [(2, 1), (0, 1), (2, 2)])
def test_gradients(projection: int, layers: int) -> None:
    torch.manual_seed(3)
    net = random_net(projection, layers, True)
    names = [name for name, _ in net.named_parameters()]
    keep = torch.ones(4, 2, 1, dtype=torch.double)
    keep[0] = 0
    keep[2, 1] = 0

    def run(frames: torch.Tensor, *values: torch.Tensor) -> torch.Tensor:
        parameters = dict(zip(names, values, strict=True))
        return torch.func.functional_call(net, parameters, (frames, net.zero_state(2), keep))[0]

    frames = torch.randn(4, 2, 3, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(run, (frames, *net.parameters()))


def test_a_start_forgets_and_pieces_join() -> None:
    torch.manual_seed(1)
    net = random_net(2, 2, True)
    frames = torch.randn(8, 1, 3, dtype=torch.double)
    keep = torch.ones(8, 1, 1, dtype=torch.double)
    keep[5] = 0
    whole, _ = net(frames, net.zero_state(1), keep)
    first, state = net(frames[:3], net.zero_state(1), keep[:3])
    second, _ = net(frames[3:], state, keep[3:])
    torch.testing.assert_close(torch.cat([first, second]), whole, rtol=0, atol=1e-15)
    alone, _ = net(frames[5:], net.zero_state(1), keep[5:])
    torch.testing.assert_close(whole[5:], alone, rtol=0, atol=1e-15)


def test_network_goes_round() -> None:
    net, other = random_net(2, 2, True), random_net(2, 2, True)
    load_network_into(other, network_from(net))
    for mine, theirs in zip(net.parameters(), other.parameters(), strict=True):
        assert torch.equal(mine, theirs)
