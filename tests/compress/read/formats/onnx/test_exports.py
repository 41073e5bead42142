"""ONNX files as PyTorch's exporters write them."""

import contextlib
import io
import warnings

import numpy as np
import pytest

from ese_lstm.compress.bidirectional import run_float_stack, run_joined
from ese_lstm.compress.read.checkpoint import load_stacks

pytest.importorskip("onnx", reason="extra onnx is not installed")

INPUTS, CELLS = 3, 4


@pytest.mark.parametrize("options", [
    {}, {"num_layers": 3, "batch_first": True}, {"bidirectional": True},
    {"num_layers": 2, "bidirectional": True, "batch_first": True}])
@pytest.mark.parametrize("new", [False, True])
@pytest.mark.parametrize("dynamic", [False, True])
def test_files_of_pytorch(tmp_path, options, new, dynamic):
    torch = pytest.importorskip("torch", reason="extra compress is not installed")
    if new:
        pytest.importorskip("onnxscript", reason="PyTorch's new exporter needs onnxscript")
    torch.manual_seed(1)
    lstm = torch.nn.LSTM(INPUTS, CELLS, **options).eval()
    x = torch.randn((2, 7, INPUTS) if options.get("batch_first") else (7, 2, INPUTS))
    axes = {"x": {0: "first", 1: "second"}} if dynamic else {}
    named = {"dynamic_axes": axes} if not new else (
        {"dynamic_shapes": ({0: torch.export.Dim("first"), 1: torch.export.Dim("second")},)}
        if dynamic else {})
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), \
            contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        torch.onnx.export(lstm, (x,), str(tmp_path / "m.onnx"), dynamo=new, input_names=["x"],
                          **named)
    with torch.no_grad():
        want = lstm(x)[0]
    if options.get("batch_first"):
        x, want = x.transpose(0, 1), want.transpose(0, 1)
    stacks = load_stacks(tmp_path / "m.onnx")
    for stream in range(2):
        got = run_joined(stacks, x[:, stream].numpy(), run_float_stack)
        np.testing.assert_allclose(got, want[:, stream].numpy(), atol=1e-5, rtol=0)
