"""Many utterances through one engine, its channels kept full."""

import time
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from numpy.typing import ArrayLike, NDArray

from ..contract.errors import EseError
from .engine import Engine
from .stream import Stream

Order = Literal["arrival", "longest"]


@dataclass(frozen=True)
class BatchReport:
    """Throughput of a batch.

    frames: of all utterances. engine_frames: that the engine ran for them, each with up to
    ``channels`` frames. seconds: from the first frame to the last result, of whatever ran.
    counters: what the engine's counters counted meanwhile.
    """

    utterances: int
    frames: int
    engine_frames: int
    channels: int
    seconds: float
    counters: dict[str, int]
    clock_mhz: float

    @property
    def occupancy(self) -> float:
        """Share of the engine frames' channels that had a frame."""
        return self.frames / (self.engine_frames * self.channels) if self.engine_frames else 0.0

    @property
    def cycles_per_frame(self) -> float | None:
        """Clock cycles per engine frame; None on the golden model, which has no clock."""
        cycles = self.counters.get("cycles")
        return cycles / self.engine_frames if cycles and self.engine_frames else None

    @property
    def frames_per_second(self) -> float | None:
        """Utterances' frames a second at the configuration's clock, by the cycle counter."""
        cycles = self.counters.get("cycles")
        return self.frames * self.clock_mhz * 1e6 / cycles if cycles else None

    def __str__(self) -> str:
        text = (f"{self.utterances} utterances, {self.frames} frames in {self.engine_frames} "
                f"engine frames of {self.channels} channels: {100 * self.occupancy:.1f} % full")
        if self.cycles_per_frame and self.frames_per_second:
            text += (f"; {self.cycles_per_frame:,.0f} cycles an engine frame, "
                     f"{self.frames_per_second:,.0f} frames/s at {self.clock_mhz:g} MHz")
        return text


class Batch:
    """Iterate for (key, outputs) of each utterance as it is done; then ``report`` is there.

    Whoever leaves the loop early closes the batch, and with it the streams.
    """

    def __init__(self, engine: Engine, utterances: Iterator[tuple[Any, ArrayLike]],
                 integers: bool) -> None:
        self._engine, self._utterances, self._integers = engine, utterances, integers
        self._iterator = self._run()
        self._report: BatchReport | None = None
        self.saturated = 0
        """Input values limited to the input's number format."""

    def __iter__(self) -> Iterator[tuple[Any, NDArray[Any]]]:
        return self._iterator

    def close(self) -> None:
        """Stop, and close the streams."""
        self._iterator.close()

    @property
    def report(self) -> BatchReport:
        """Throughput. Raises EseError before the last utterance is done."""
        if self._report is None:
            raise EseError("report: must be asked for when every utterance is done, but some are "
                           "not")
        return self._report

    def _run(self) -> Generator[tuple[Any, NDArray[Any]]]:
        engine, turns = self._engine, self._engine.turns
        open_streams = dict[Any, tuple[Any, Stream]]()
        count = frames = 0
        with turns.turn() as lockstep:
            before, engine_frames = lockstep.backend.counters(), lockstep.frames
            channels, clock = lockstep.channels, engine.config.clock_mhz if engine.config else 0.0
        begin = time.monotonic()
        try:
            more, seen, deadline = True, -1, begin
            while more or open_streams:
                with turns.turn() as lockstep:
                    more = more and self._fill(lockstep.free, open_streams)
                    done = [key for key, (_, stream) in open_streams.items() if stream.done]
                    moved = bool(done) or lockstep.advance()
                    if moved or open_streams or lockstep.frames != seen:
                        seen, deadline = lockstep.frames, time.monotonic() + turns.timeout_s
                if not moved and open_streams:
                    turns.wait_for_others(time.monotonic() + turns.timeout_s)
                elif not moved and more:
                    turns.wait_for_channel(deadline)
                for key in done:
                    name, stream = open_streams.pop(key)
                    with stream:
                        outputs = stream.take()
                    count, frames = count + 1, frames + len(outputs)
                    self.saturated += stream.saturated
                    yield name, outputs
        finally:
            for _name, stream in open_streams.values():
                stream.close()
        seconds = time.monotonic() - begin
        with turns.turn() as lockstep:
            lockstep.backend.check()
            after = lockstep.backend.counters()
            self._report = BatchReport(
                count, frames, lockstep.frames - engine_frames, channels, seconds,
                {name: after[name] - before[name] for name in after}, clock)

    def _fill(self, free: int, open_streams: dict[Any, tuple[Any, Stream]]) -> bool:
        """Start utterances on free channels; False when there are no more."""
        while free:
            try:
                name, frames = next(self._utterances)
            except StopIteration:
                return False
            stream = self._engine.open_stream(integers=self._integers)
            open_streams[id(stream)] = name, stream
            stream.queue(frames)
            free -= 1
        return True


def run_utterances(engine: Engine,
                   utterances: Mapping[Any, ArrayLike] | Iterable[ArrayLike], *,
                   order: Order = "arrival", integers: bool = False) -> Batch:
    """Run utterances, (T, inputs) each, on all free channels of an engine, a new one following on
    a channel as soon as the one before has ended.

    utterances: by key, or one after another (an iterator is read only as channels become free);
    the keys are then 0, 1, … . order: as they come; or the longest first, which leaves the fewest
    channels empty at the end. integers: as :meth:`Engine.open_stream`.
    Raises as :meth:`Stream.push`; other open streams must have frames waiting. Raises
    NoFreeChannel if they hold all channels and no frame runs for the engine's timeout_s.
    """
    pairs: Iterable[tuple[Any, Any]] = (
        utterances.items() if isinstance(utterances, Mapping) else enumerate(utterances))
    if order == "longest":
        pairs = sorted(pairs, key=lambda pair: -len(pair[1]))
    elif order != "arrival":
        raise EseError(f"order: must be arrival or longest, got {order!r}")
    return Batch(engine, iter(pairs), integers)
