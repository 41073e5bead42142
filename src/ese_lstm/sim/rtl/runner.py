"""Runs an image on the engine's exported Verilog: every value that it writes, and its counters."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...contract.config import EngineConfig
from ...contract.counters import ENGINE_COUNTERS
from ...contract.errors import EseError
from ...contract.frames import integer_frames
from ...contract.image import Image
from ...contract.memory import MemoryTiming
from ...contract.shell import ShellConfig
from ...hw.layouts import frame_in_layout, frame_out_layout
from ...hw.verilog.export import TOP, design
from ..steady import SteadyState
from ..trace import Frame, Trace
from .load import load_beats
from .memory_model import memory_job
from .streamed_top import STREAMED_TOP, streamed_verilog
from .verilator import Progress, build, run
from .words import from_bytes, pack_words, to_bytes, unpack_words

BENCH = "ese_lstm.sim.rtl.engine_bench"
MEMORY = MemoryTiming(bits_per_cycle=512)
"""Of a run for which nothing else is said: 12.8 GB/s at 200 MHz, 200 ns."""
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class RtlFrame(Frame):
    """One frame as simulated. counters: their values when its last output word left."""

    counters: dict[str, int]


@dataclass(frozen=True)
class RtlResult(SteadyState):
    """A run on the exported Verilog. cycles: simulated in all, load_cycles of them loading.
    cpu_s, load_cpu_s: processor time that these took."""

    config: EngineConfig
    frames: tuple[RtlFrame, ...]
    cycles: int
    load_cycles: int
    cpu_s: float = 0.0
    load_cpu_s: float = 0.0

    @property
    def outputs(self) -> Ints:
        """Output integers, (frames, output_width, channels)."""
        return np.stack([frame.outputs for frame in self.frames])

    @property
    def steady_frames(self) -> int:
        """At least 1: a run of one or two frames has no others."""
        return max(1, len(self.frames) - 2)

    def count(self, counter: str) -> int:
        """From the start of the run if there is only one frame."""
        first = self.frames[0].counters[counter] if len(self.frames) > 1 else 0
        last = self.frames[-2] if len(self.frames) > 2 else self.frames[-1]
        return last.counters[counter] - first


def run_image(image: Image, frames: NDArray[np.integer],
              active: NDArray[np.bool_] | None = None, start: NDArray[np.bool_] | None = None, *,
              input_pause: str = "none", output_pause: str = "none", load_pause: str = "none",
              seed: int = 0, progress: Progress | None = None,
              shell: ShellConfig | None = None, memory: MemoryTiming = MEMORY,
              memory_pause: str = "none") -> RtlResult:
    """Simulate ``frames`` (T, inputs, channels), integers in the input format, in Verilator.

    active, start: (T, channels); all active, no start without them. input_pause, output_pause,
    load_pause: a pattern of ``bench.PATTERNS`` for pauses of the testbench. progress: called with
    stage and fraction. The simulator is built once per configuration and then kept.
    An engine with a ``fetch_depth`` runs with the weight fetch of ``shell`` (the default one
    without it) on a modelled memory; memory_pause: also a pattern, of its channels.
    Raises EseError for frames of another shape or range, SimulationError if the run fails.
    """
    pauses = {"input_pause": input_pause, "output_pause": output_pause, "load_pause": load_pause,
              "memory_pause": memory_pause}
    return _simulate(image, frames, active, start, [memory], shell or ShellConfig(), pauses, seed,
                     progress)[0]


def run_memories(image: Image, frames: NDArray[np.integer], memories: Sequence[MemoryTiming],
                 shell: ShellConfig, *, progress: Progress | None = None) -> list[RtlResult]:
    """:func:`run_image` of an engine that streams weights, once a memory but loaded once; every
    result has the cycles and times of all of them together."""
    if not image.config.fetch_depth or not memories:
        raise EseError("memories: must be at least one, and fetch_depth above 0")
    pauses = dict.fromkeys(("input_pause", "output_pause", "load_pause", "memory_pause"), "none")
    return _simulate(image, frames, None, None, memories, shell, pauses, 0, progress)


def _simulate(image: Image, frames: NDArray[np.integer], active: NDArray[np.bool_] | None,
              start: NDArray[np.bool_] | None, memories: Sequence[MemoryTiming],
              shell: ShellConfig, pauses: dict[str, str], seed: int,
              progress: Progress | None) -> list[RtlResult]:
    """The runs of an image, one a memory (one in all without ``fetch_depth``)."""
    config = image.config
    program = image.program
    values = _checked(frames, program.input_width, config)
    masks = [_mask(name, mask, len(values), config.channels, default)
             for name, mask, default in (("active", active, True), ("start", start, False))]
    widths = {"output": program.output_width, "cell": program.cells, "result": program.results}
    if progress:
        progress("write Verilog", 0.0)
    verilog, top = ((streamed_verilog(config, shell), STREAMED_TOP)
                    if config.fetch_depth else (design(config).verilog, TOP))
    simulator = build(verilog, top, progress=progress)
    beats = load_beats(image)
    job = {
        "frames": len(values), "output_width": widths["output"], "counters": list(ENGINE_COUNTERS),
        "beats": to_bytes(beats, max(beats).bit_length()),
        "words": _frame_words(values, masks[0], masks[1], config, seed),
        "seed": seed, "patience": _patience(image), **pauses}
    runs = 1
    if config.fetch_depth:
        runs = len(memories)
        job |= memory_job(image, shell, memories)
    raw = run(simulator, BENCH, job, seed=seed, progress=progress)
    done = list(_frames(raw, widths, runs * len(values), config))
    return [RtlResult(config, tuple(done[first:first + len(values)]), int(raw["cycles"]),
                      int(raw["load_cycles"]), float(raw["cpu_s"]), float(raw["load_cpu_s"]))
            for first in range(0, len(done), len(values))]


def _frames(raw: dict[str, NDArray[Any]], widths: dict[str, int], count: int,
            config: EngineConfig) -> Iterator[RtlFrame]:
    words = from_bytes(raw["outputs"])
    last = frame_out_layout(config)["last"].offset
    ends = [number for number, word in enumerate(words) if word >> last & 1]
    expected = [widths["output"] * (number + 1) - 1 for number in range(count)]
    if ends != expected or len(words) != count * widths["output"]:
        raise EseError(f"frame output: must have {count} frames of {widths['output']} words, got "
                       f"{len(words)} words with last at {ends[:8]}")
    outputs = unpack_words(words, config.channels, config.act_bits)
    traces = {}
    for kind, bits in (("cell", config.cell_bits), ("result", config.act_bits)):
        values = unpack_words(from_bytes(raw[f"{kind}_words"]), config.channels, bits)
        if len(values) != count * widths[kind]:
            raise EseError(f"{kind} writes: must be {count} frames of {widths[kind]}, got "
                           f"{len(values)}")
        traces[kind] = [Trace(addresses, part) for addresses, part in zip(
            np.split(raw[f"{kind}_addresses"], count), np.split(values, count), strict=True)]
    for number, frame_outputs in enumerate(np.split(outputs, count)):
        yield RtlFrame(frame_outputs, traces["cell"][number], traces["result"][number],
                       {name: int(value) for name, value in
                        zip(ENGINE_COUNTERS, raw["counters"][number], strict=True)})


def _frame_words(frames: Ints, active: NDArray[np.bool_], start: NDArray[np.bool_],
                 config: EngineConfig, seed: int) -> NDArray[np.uint8]:
    """Beats of the frame input; the masks of all but a frame's last beat are noise."""
    layout = frame_in_layout(config)
    count, width, channels = frames.shape
    noise = np.random.default_rng(seed)
    words = pack_words(frames.reshape(-1, channels), config.act_bits)
    last = np.zeros((count, width), bool)
    last[:, -1] = True
    for name, mask in (("active", active), ("start", start)):
        spread = noise.random((count, width, channels)) < 0.5
        spread[:, -1] = mask
        offset = layout[name].offset
        fields = pack_words(spread.reshape(-1, channels), 1)
        words = [word | field << offset for word, field in zip(words, fields, strict=True)]
    end = 1 << layout["last"].offset
    words = [word | end if flag else word
             for word, flag in zip(words, last.ravel(), strict=True)]
    return to_bytes(words, layout.size)


def _checked(frames: NDArray[np.integer], width: int, config: EngineConfig) -> Ints:
    values = np.asarray(frames)
    if values.ndim != 3 or values.shape[1:] != (width, config.channels) or not len(values):
        raise EseError(f"frames: must have the shape (T, {width}, {config.channels}) with T at "
                       f"least 1, got {values.shape}")
    return integer_frames(values, config.act_bits)


def _mask(name: str, mask: NDArray[np.bool_] | None, frames: int, channels: int,
          default: bool) -> NDArray[np.bool_]:
    if mask is None:
        return np.full((frames, channels), default)
    if mask.shape != (frames, channels) or mask.dtype != np.bool_:
        raise EseError(f"{name}: must be booleans of shape ({frames}, {channels}), got "
                       f"{mask.dtype} of shape {mask.shape}")
    return mask


def _patience(image: Image) -> int:
    """Cycles without any event after which a run counts as stuck: ten frames' work."""
    streamed = 32 * len(image.memory)  # at a slow memory's bit a cycle, four times over
    longest = int(image.sections["lane_lengths"].max())
    return 10 * (longest + image.program.columns) + 2000 + streamed
