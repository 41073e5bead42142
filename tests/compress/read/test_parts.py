"""Which part of a checkpoint is read, what is refused by name, what is left to the host."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn.utils import prune

from ese_lstm.compress.read.checkpoint import load_network, load_tensors
from ese_lstm.contract.errors import EseError


def under(prefix, module):
    return {f"{prefix}.{key}": value.detach() for key, value in module.state_dict().items()}


def cell(prefix, inputs=4, outputs=4, **options):
    return under(prefix, nn.LSTMCell(inputs, outputs, **options))


def linear(prefix, inputs=4, outputs=4):
    return under(prefix, nn.Linear(inputs, outputs))


def load(tmp_path, content, prefix=None, **options):
    torch.save(content, tmp_path / "m.pt")
    return load_network(tmp_path / "m.pt", prefix, **options)


def pruned():
    lstm = nn.LSTM(3, 4)
    prune.l1_unstructured(lstm, "weight_hh_l0", 0.5)
    return under("rnn", lstm)


LSTM = nn.LSTM(3, 4)
TWO = nn.LSTM(3, 4, num_layers=2)


@pytest.mark.parametrize("state, prefix, message", [
    # below the used prefix
    ({**cell("rnn"), **under("rnn.ln_ih", nn.LayerNorm(16))}, None,
     r"^checkpoint: m.pt must hold nothing but an LSTM at 'rnn', but has the tensors "
     r"rnn.ln_ih.weight, rnn.ln_ih.bias, which are no part of an LSTM"),
    ({**LSTM.state_dict(), **linear("head")}, None,
     r"at its top, but has the tensors head.weight, head.bias, .* with --key-map$"),
    ({**nn.LSTMCell(3, 4).state_dict(), **linear("ln_ih")}, None, r"has the tensors ln_ih.weight"),
    ({**under("rnn", nn.LSTM(3, 4, bidirectional=True)), "rnn.W_ci": torch.ones(4)}, None,
     r"has the tensor rnn.W_ci, which is no part"),
    ({**under("rnn", LSTM), "rnn.num_batches_tracked": torch.tensor(3)}, None,
     r"has the tensor rnn.num_batches_tracked, "),
    ({**under("rnn", LSTM), **under("rnn", nn.LSTMCell(3, 4))}, None,
     r"has the tensors rnn.weight_ih, rnn.weight_hh, "),
    ({**under("rnn", LSTM), "rnn.weight_ih_l00": torch.ones(16, 3)}, None,
     r"has the tensor rnn.weight_ih_l00, "),
    ({**under("a", LSTM), **under("a.b", LSTM)}, "a", r"has the tensors a.b.weight_ih_l0, "),
    # what torch leaves of a reparametrisation
    (pruned(), None, r"rnn.weight_hh_l0_orig, rnn.weight_hh_l0_mask.*prune.remove\(module"),
    (under("rnn", nn.utils.parametrizations.weight_norm(nn.LSTM(3, 4), "weight_hh_l0")), None,
     r"rnn.parametrizations.weight_hh_l0.original0, .*remove_parametrizations\(module"),
    ({**under("r.module", LSTM), "r.weight_hh_l0_raw": torch.ones(16, 4)}, "r.module",
     r"but has the tensor r.weight_hh_l0_raw beside it \(weight dropping left it"),
    # several recurrent parts of any type
    ({**under("e.lstm", LSTM), **cell("d.cell")}, None,
     r"^prefix: must be given, because m.pt holds several recurrent parts: 'd.cell' \(LSTMCell\), "
     r"'e.lstm' \(LSTM\)$"),
    ({**under("a", LSTM), **under("g", nn.GRU(3, 4))}, None, r"'a' \(LSTM\), 'g' \(GRU\)$"),
    ({**cell("a.c"), **under("g", nn.GRUCell(4, 4))}, None, r"must list the LSTMCells .* 'g'$"),
    ({**under("a", LSTM), **under("g", nn.RNN(3, 4))}, None, r"'a' \(LSTM\), 'g' \(RNN\)$"),
    ({**under("a", LSTM), "p.Wix": torch.ones(4, 3)}, None, r"several LSTMs: 'a', 'p'$"),
    ({"encoder": LSTM.state_dict(), "decoder": LSTM.state_dict()}, None,
     r"several LSTMs: 'decoder', 'encoder'$"),
    ({"model": under("lstm", LSTM), "ema": under("lstm", TWO)}, None,
     r"several LSTMs: 'ema.lstm', 'model.lstm'$"),
    ([LSTM.state_dict(), TWO.state_dict()], None, r"several LSTMs: '0', '1'$"),
    ({**LSTM.state_dict(), **under("d", LSTM)}, None, r"several LSTMs: '', 'd'$"),
    ({**under("a", LSTM), **under("g", nn.GRU(3, 4))}, "g", r"g.weight_hh_l0 .* is a GRU$"),
    # numbers that need not be layers'
    *(({**cell(first), **cell(second)}, prefix, rf"^prefix: must list the LSTMCells of m.pt .*, "
       rf"because .*: '{first}', '{second}'$") for first, second, prefix in (
        ("layers.0.directions.0.cell", "layers.0.directions.1.cell", None),
        ("layers.0.directions.0.cell", "layers.0.directions.1.cell", "layers"),
        ("rnn.bw", "rnn.fw", None), ("rnn.bw", "rnn.fw", "rnn"), ("backward.0", "forward.0", None),
        ("heads.0", "heads.1", None), ("experts.0.lstm", "experts.1.lstm", None),
        ("encoders.0.cell", "encoders.1.cell", None), ("cell_0_fw", "cell_1_fw", None),
        ("layers.0.0", "layers.0.1", None), ("fw.0", "fw.1", "fw"))),
    ({**cell("cells.0"), **cell("cells.2")}, None, r"because 'cells.0' and 'cells.2' leave a gap"),
    ({**cell("lstm1", 3, 4), **cell("lstm2", 5, 4)}, None,
     r"because the 4 outputs of 'lstm1' are not the 5 inputs of 'lstm2': 'lstm1', 'lstm2'$"),
    # what may stand between two cells
    ({**cell("net.0"), **linear("net.1"), **cell("net.2")}, None,
     r"because the tensors net.1.weight, net.1.bias may stand between 'net.0' and 'net.2': "),
    ({**cell("cells.0"), **cell("cells.1"), **linear("dense.0")}, None,
     r"because the tensor dense.0.weight may stand between them: 'cells.0', 'cells.1'$"),
    ({**cell("cells.0"), **cell("cells.1"), **linear("fc", 4, 9), **linear("fd", 9, 4)}, None,
     r"because the tensors fc.weight, fd.weight may stand between them"),
    ({**cell("cells.0"), **cell("cells.1"), **under("norm", nn.BatchNorm1d(4))}, "cells",
     r"because the tensor norm.weight may stand between them"),
    ({**cell("cells.0"), **cell("cells.1"), "gain": torch.ones(1)}, None, r"the tensor gain may"),
    ({**cell("lstm1"), **linear("glu", 4, 8), **cell("lstm2")}, None,
     r"the tensors glu.weight, glu.bias may stand between them"),
    ({**cell("layers.0.cell"), **under("layers.0.n", nn.LayerNorm(9)), **cell("layers.1.cell")},
     None, r"has the tensors layers.0.n.weight, layers.0.n.bias, .* "
           r"given as --prefix layers.0.cell,layers.1.cell$"),
    # learned initial states
    *(({**under("enc.lstm", LSTM), name: torch.ones(1, 4)}, None,
       rf"must start from states of 0, .* learned state {name} beside 'enc.lstm'") for name in (
        "h0", "c0", "enc.h_0", "enc.c_0", "enc.hx", "enc.h_init", "enc.init_h.weight",
        "initial_state", "enc.initial_states.0", "enc.initHidden", "enc.lstm_h0", "learned_cell",
        # named freely
        "h0_fwd", "trainable_h0", "enc.h0_param", "model_c0", "h_0s.0", "s0", "lstm_init",
        "enc.learned_init", "init", "fc_h0.weight", "img2h0.bias")),
    ({"model": under("lstm", LSTM), "h0": torch.ones(4)}, None, r"learned state h0 beside 'lstm'"),
    ({**under("lstm", LSTM), "lstm.h0": torch.ones(4)}, None,
     r"lstm.h0, which is no part .* \(a learned state: "),
    # inside a cell that a wrapper computes
    ({**cell("rnn.cell"), **under("rnn.ln_hh", nn.LayerNorm(16))}, None,
     r"must hold the whole of 'rnn.cell' below that prefix, but has the tensors rnn.ln_hh.weight"),
    ({**cell("rnn.cell"), "rnn.W_ci": torch.ones(4)}, None, r"but has the tensor rnn.W_ci beside"),
    ({**cell("cell"), **under("norms.0", nn.LayerNorm(16)), **linear("up", 4, 16)}, None,
     r"has the tensors norms.0.weight, norms.0.bias beside it"),
    ({**cell("rnn.cell"), "rnn.shift": torch.ones(16)}, None, r"has the tensor rnn.shift beside"),
    ({**cell("cells.0"), **cell("cells.1"), "gain": torch.ones(16)}, None, r"tensor gain beside"),
    ({**cell("cell"), "peep_i": torch.ones(4)}, None, r"has the tensor peep_i beside"),
    # damage
    ({k: v for k, v in under("l", nn.LSTM(3, 4, 2, bidirectional=True)).items()
      if not k.endswith("_l1_reverse")}, None,
     r"must have both directions of every layer, but layer 1 has one$"),
    ({k: v for k, v in under("l", nn.LSTM(3, 4, 3)).items() if "_l1" not in k}, None,
     r"must hold the tensor l.weight_hh_l1, "),
    ({**under("l", LSTM), "l.weight_hh_l999999999": torch.ones(16, 4)}, None,
     r"must hold the tensor l.weight_hh_l1, "),
    ({"a.Wix": torch.ones(4, 3), "a.Wix_l0": torch.ones(4, 3)}, None, r"must hold a tensor once"),
    ({**under("l", LSTM), "l.bias_l0": torch.ones(16)}, None,
     r"l.bias_l0 must be a layer's only bias, but l.bias_ih_l0 is there too$"),
    ({**under("l", LSTM), "l.weight_ih_l0": torch.ones(16, 3, dtype=torch.complex64)}, None,
     r"l.weight_ih_l0 must be floating point, got complex64$"),
    ({**under("l", LSTM), "l.weight_ih_l0": torch.ones(16, 3, device="meta")}, None,
     r"^checkpoint: l.weight_ih_l0 must hold plain numbers, but reading says: "),
    ({**cell("a"), **cell("b")}, "a,a", r"^prefix: must name each LSTM once, got 'a,a'$"),
    ({**under("a", nn.LSTM(4, 4, bidirectional=True)), **cell("b")}, "a,b",
     r"^prefix: must list forward LSTMs alone"),
])
def test_refused_by_name(tmp_path, state, prefix, message):
    with pytest.raises(EseError, match=message):
        load(tmp_path, state, prefix)


def outside(network):
    """Names that a note says are left to the host."""
    return [name for note in network.notes if "left to the host: " in note
            for name in note.split("left to the host: ")[1].split(", ")]


@pytest.mark.parametrize("state, prefix, layers", [
    ({**under("emb", nn.Embedding(9, 3)), **under("conv", nn.Conv1d(5, 3, 3)), **under("lstm", TWO),
      **under("bn", nn.BatchNorm1d(4)), **linear("head")}, None, 2),
    ({**under("lstm", LSTM), **under("hidden_norm", nn.LayerNorm(4))}, None, 1),
    ({**under("lstm1", LSTM), **under("bn", nn.BatchNorm1d(4)), **under("lstm2", LSTM)}, "lstm1",
     1),
    ({**under("module.lstm", LSTM), **linear("module.head")}, None, 1),
    ({**under("_orig_mod.lstm", LSTM), "n_averaged": torch.tensor(3)}, None, 1),
    ({**cell("lstm1", 1, 51), **cell("lstm2", 51, 51), **linear("linear", 51, 1)}, None, 2),
    ({**under("emb", nn.Embedding(9, 4)), **linear("pre", 12, 4), **cell("dec.cells.0"),
      **cell("dec.cells.1"), **linear("out", 4, 9)}, "dec", 2),
    ({**cell("0", 3, 4), **cell("1", 4, 4)}, None, 2),
    ({**cell("net.0"), **linear("net.1"), **cell("net.2")}, "net.0,net.2", 2),
    ({**cell("d.0.cell"), **cell("d.1.cell", bias=False), **linear("x")}, "d.0.cell,d.1.cell", 2),
    ({**under("a", LSTM), **under("b", nn.LSTM(4, 5, 2))}, "a,b", 3),
    ({**cell("d.c"), **under("d.n", nn.LayerNorm(4)), **linear("d.up", 4, 16)}, None, 1),
    ({**under("lstm", LSTM), "h0": torch.zeros(1, 4), "head.h0": torch.ones(4)}, None, 1),
    ({**under("lstm", LSTM), **linear("hidden0"), **linear("h0"), **linear("init_conv"),
      **linear("c0"), "start": torch.ones(3), "start_transitions": torch.ones(4)}, None, 1),
    ({**under("lstm", LSTM), "stft": torch.ones(4, dtype=torch.complex32),
      "late": torch.empty(3, device="meta")}, None, 1),
])
@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_the_rest_is_named(tmp_path, state, prefix, layers, suffix):
    path = tmp_path / f"m{suffix}"
    if suffix == ".safetensors":
        state = {k: v.clone() for k, v in state.items()
                 if v.device.type != "meta" and not v.is_complex()}
        save_file(state, path)
    else:
        torch.save(state, path)
    network = load_network(path, prefix)
    assert len(network.layers) == layers
    rest = {name for name in state if not name.rpartition(".")[2].startswith(("weight_", "bias_"))}
    parts = prefix.split(",") if prefix else [""]
    rest |= {name for name in state if not name.startswith(tuple(parts))}
    assert set(outside(network)) == rest and len(rest) == len(outside(network))


def test_what_lies_beside_the_state_dict_is_told(tmp_path):
    lstm, head = nn.LSTM(3, 4), nn.Linear(4, 2)
    optimiser = torch.optim.Adam(lstm.parameters())
    lstm(torch.ones(1, 3))[0].sum().backward()
    optimiser.step()
    network = load(tmp_path, {"epoch": 3, "net": {"lstm": lstm.state_dict()}, "lr": 0.1,
                              "head": head.state_dict(), "optim": optimiser.state_dict()})
    assert network.notes == (
        "not read of m.pt: optim (12 tensors)",
        "tensors of m.pt beside those of 'net.lstm', left to the host: head.weight, head.bias")
    assert np.array_equal(network.layers[0].w_x, lstm.weight_ih_l0.detach().numpy())
    assert list(load_tensors(tmp_path / "m.pt")) == list(lstm.state_dict())


def test_numbers_of_numpy_beside_the_weights(tmp_path):
    """A loop's best loss, a normalisation; a file of objects is refused all the same."""
    state = under("lstm", LSTM)
    network = load(tmp_path, {"net": state, "best": np.float64(0.3), "step": np.int64(3),
                              "mean": np.zeros(3, np.float32)})
    assert outside(network) == ["mean"]
    assert np.array_equal(network.layers[0].w_x, state["lstm.weight_ih_l0"].numpy())
    arrays = {name: value.numpy() for name, value in state.items()}
    assert np.array_equal(load(tmp_path, arrays).layers[0].w_y, arrays["lstm.weight_hh_l0"])
    with pytest.raises(EseError, match=r"reading it would .*, which is refused"):
        load(tmp_path, {**state, "names": np.array([print, {}], object)})


def test_cells_of_a_projection_and_peepholes(tmp_path):
    state = {"c.weight_ih": torch.randn(16, 3), "c.weight_hh": torch.randn(16, 2),
             "c.weight_hr": torch.randn(2, 4), "c.bias": torch.randn(16),
             **{f"c.weight_c{gate}": torch.randn(4) for gate in "ifo"}}
    layer, = load(tmp_path, state).layers
    assert np.array_equal(layer.w_m, state["c.weight_hr"].numpy())
    assert np.array_equal(layer.bias, state["c.bias"].numpy())
    assert np.array_equal(layer.peepholes, [state[f"c.weight_c{g}"].numpy() for g in "ifo"])
