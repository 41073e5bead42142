"""The peephole LSTMP recurrence in PyTorch, with a backward pass of its own.

One step of autograd would add to the whole recurrent weight gradient each frame; here the gate
gradients of all frames are kept and every weight gradient is one product at the end. Formulas and
gate order as in ``compress.reference``; the o peephole reads the new cell state. Products may be
of bfloat16 factors (sums stay float32), which processors with AVX-512-BF16 do at twice the rate.
"""

from typing import Any

import torch
from torch import Tensor, nn

from ..contract.cells import LSTM

State = list[tuple[Tensor, Tensor]]
"""(y, c) of every layer, (streams, …) each."""


def product(a: Tensor, b: Tensor, brief: bool) -> Tensor:
    """a @ b, of factors rounded to bfloat16 if ``brief``, in a's type."""
    if not brief:
        return a @ b
    return (a.to(torch.bfloat16) @ b.to(torch.bfloat16)).to(a.dtype)


class Recurrence(torch.autograd.Function):
    """y of all frames from W_x·x + b of all frames.

    Arguments: gates_x (T, B, 4·cells), w_y (4·cells, outputs), peepholes (3, cells), w_m
    (outputs, cells) or None, y and c (B, …) before the first frame, keep (T, B, 1): 0 where a
    stream starts, brief: products of bfloat16 factors. Returns y (T, B, outputs), and the last c,
    through which no gradient flows.
    """

    @staticmethod
    def forward(ctx: Any, gates_x: Tensor, w_y: Tensor, peepholes: Tensor, w_m: Tensor | None,
                y: Tensor, c: Tensor, keep: Tensor, brief: bool) -> tuple[Tensor, Tensor]:
        """Run the frames in order."""
        steps, streams, rows = gates_x.shape
        cells = rows // LSTM.size
        acts = torch.empty_like(gates_x)
        before_y = gates_x.new_empty(steps, streams, w_y.shape[1])
        before_c, after_c, tanh_c, hidden = gates_x.new_empty(4, steps, streams, cells)
        outputs = torch.empty_like(before_y)
        p_i, p_f, p_o = peepholes
        kind = torch.bfloat16 if brief else w_y.dtype
        w_y_t = w_y.to(kind).t()
        w_m_t = None if w_m is None else w_m.to(kind).t()
        for t in range(steps):
            y = torch.mul(y, keep[t], out=before_y[t])
            c = torch.mul(c, keep[t], out=before_c[t])
            i, f, g, o = torch.add(gates_x[t], product(y, w_y_t, brief),
                                   out=acts[t]).split(cells, 1)
            i.addcmul_(p_i, c).sigmoid_()
            f.addcmul_(p_f, c).sigmoid_()
            g.tanh_()
            c = torch.mul(f, c, out=after_c[t]).addcmul_(i, g)
            o.addcmul_(p_o, c).sigmoid_()
            torch.tanh(c, out=tanh_c[t])
            m = torch.mul(o, tanh_c[t], out=hidden[t])
            y = outputs[t].copy_(m if w_m_t is None else product(m, w_m_t, brief))
        ctx.save_for_backward(acts, before_y, before_c, after_c, tanh_c, hidden, w_y, peepholes,
                              keep, *(() if w_m is None else (w_m,)))
        ctx.brief = brief
        last = c.clone()
        ctx.mark_non_differentiable(last)
        return outputs, last

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """Gate gradients backwards in time, then the weights' gradients over all frames."""
        (acts, before_y, before_c, after_c, tanh_c, hidden, w_y, peepholes, keep,
         *projection) = ctx.saved_tensors
        brief = ctx.brief
        kind = torch.bfloat16 if brief else w_y.dtype
        w_y = w_y.to(kind)
        w_m = projection[0].to(kind) if projection else None
        steps, streams, rows = acts.shape
        cells = rows // LSTM.size
        p_i, p_f, p_o = peepholes
        d_gates = torch.empty_like(acts)
        d_outputs = grads[0].clone()
        d_c = acts.new_zeros(streams, cells)
        for t in range(steps - 1, -1, -1):
            i, f, g, o = acts[t].split(cells, 1)
            d_i, d_f, d_g, d_o = d_gates[t].split(cells, 1)
            d_m = d_outputs[t] if w_m is None else product(d_outputs[t], w_m, brief)
            d_o.copy_(d_m * tanh_c[t] * o * (1 - o))
            d_c = d_c + d_m * o * (1 - tanh_c[t] * tanh_c[t]) + d_o * p_o
            d_i.copy_(d_c * g * i * (1 - i))
            d_f.copy_(d_c * before_c[t] * f * (1 - f))
            d_g.copy_(d_c * i * (1 - g * g))
            d_c = (d_c * f + d_i * p_i + d_f * p_f) * keep[t]
            if t:
                d_outputs[t - 1] += product(d_gates[t], w_y, brief) * keep[t]
        flat = d_gates.reshape(-1, rows)
        d_w_y = product(flat.t(), before_y.reshape(-1, before_y.shape[2]), brief)
        d_w_m = None
        if w_m is not None:
            d_w_m = product(d_outputs.reshape(-1, w_m.shape[0]).t(), hidden.reshape(-1, cells),
                            brief)
        parts = d_gates.split(cells, 2)
        d_peepholes = torch.stack([(parts[0] * before_c).sum((0, 1)),
                                   (parts[1] * before_c).sum((0, 1)),
                                   (parts[3] * after_c).sum((0, 1))])
        return d_gates, d_w_y, d_peepholes, d_w_m, None, None, None, None


class Product(torch.autograd.Function):
    """values (T, B, width) times the transpose of weight (rows, width); brief as above."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, weight: Tensor, brief: bool) -> Tensor:
        """(T, B, rows)."""
        ctx.save_for_backward(values, weight)
        ctx.brief = brief
        return product(values.flatten(0, 1), weight.t(), brief).unflatten(0, values.shape[:2])

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of values (if asked for) and weight."""
        values, weight = ctx.saved_tensors
        flat = grads[0].flatten(0, 1)
        d_values = None
        if ctx.needs_input_grad[0]:
            d_values = product(flat, weight, ctx.brief).unflatten(0, values.shape[:2])
        return d_values, product(flat.t(), values.flatten(0, 1), ctx.brief), None


class Lstmp(nn.Module):
    """A stack of LSTMP layers; parameters bear the names that ``ese compress`` reads.

    inputs: width of a frame. cells: per layer. projection: outputs of every layer, 0 without one.
    peepholes: False leaves their parameters out. Frames are time-major, (T, B, inputs).
    ``brief`` may be set: in training mode products then have bfloat16 factors.
    """

    brief = False

    def __init__(self, inputs: int, cells: int, projection: int = 0, layers: int = 1,
                 peepholes: bool = True) -> None:
        super().__init__()
        self.inputs, self.cells, self.projection = inputs, cells, projection
        self.layers, self.peepholes = layers, peepholes
        self.outputs = projection or cells
        bound = cells ** -0.5
        for layer in range(layers):
            width = self.outputs if layer else inputs
            shapes = {"weight_ih": (LSTM.size * cells, width),
                      "weight_hh": (LSTM.size * cells, self.outputs)}
            if projection:
                shapes["weight_hr"] = (projection, cells)
            for name, shape in shapes.items():
                self.register_parameter(f"{name}_l{layer}", nn.Parameter(
                    torch.empty(shape).uniform_(-bound, bound)))
            bias = torch.zeros(LSTM.size * cells)
            bias[cells:2 * cells] = 1.0
            self.register_parameter(f"bias_ih_l{layer}", nn.Parameter(bias))
            if peepholes:
                for gate in "ifo":
                    self.register_parameter(f"weight_c{gate}_l{layer}",
                                            nn.Parameter(torch.zeros(cells)))

    def zero_state(self, streams: int) -> State:
        """(y, c) of every layer for so many streams."""
        weight = self.get_parameter("bias_ih_l0")
        return [(weight.new_zeros(streams, self.outputs), weight.new_zeros(streams, self.cells))
                for _ in range(self.layers)]

    def forward(self, frames: Tensor, state: State, keep: Tensor,
                each: list[Tensor] | None = None) -> tuple[Tensor, State]:
        """Outputs (T, B, outputs) and the state after the last frame (detached).

        keep: (T, B, 1), 0 in the first frame of an utterance, 1 elsewhere. each: if given, every
        layer's outputs are appended to it.
        """
        after = []
        values = frames
        brief = self.brief and self.training
        for layer in range(self.layers):
            gates = (Product.apply(values, getattr(self, f"weight_ih_l{layer}"), brief)
                     + getattr(self, f"bias_ih_l{layer}"))
            peepholes = (torch.stack([getattr(self, f"weight_c{gate}_l{layer}")
                                      for gate in "ifo"]) if self.peepholes
                         else gates.new_zeros(3, self.cells))
            w_m = getattr(self, f"weight_hr_l{layer}") if self.projection else None
            values, last = Recurrence.apply(gates, getattr(self, f"weight_hh_l{layer}"),
                                            peepholes, w_m, *state[layer], keep, brief)
            if each is not None:
                each.append(values)
            after.append((values[-1].detach(), last.detach()))
        return values, after
