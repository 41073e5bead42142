"""The cycle model against a machine that is stepped cycle by cycle, and against known cases."""

import time
from collections import deque
from typing import Any

import numpy as np
import pytest

from ese_lstm.contract import timing
from ese_lstm.contract.cells import LINEAR, LSTM, CellType
from ese_lstm.contract.config import EngineConfig
from ese_lstm.contract.errors import EseError
from ese_lstm.contract.program import Epilogue, Program, Segment
from ese_lstm.sim.golden.cycles import CycleReport, Stalls, simulate_cycles, simulate_model
from ese_lstm.sim.golden.decode import DecodedModel, decode_image

CONFIG = EngineConfig(lanes=3, channels=1, acc_rows=8, activation_depth=256, cell_depth=64,
                      param_depth=512, stream_depth=4096)


class Stepped:
    """Broadcaster, lanes and epilogue sequencer as state machines; one call of `cycle` a cycle."""

    def __init__(self, config: EngineConfig, counts: list[np.ndarray], program: Program,
                 frames: int) -> None:
        self.config, self.frames = config, frames
        self.results = program.results
        self.columns = []
        for tile, (segments, _epilogue) in enumerate(program.tiles()):
            waits = [segment.need + k if segment.wait else None
                     for segment in segments for k in range(segment.length)]
            for k, wait in enumerate(waits):
                self.columns.append((tile, k == 0, k == len(waits) - 1, wait, counts[tile][:, k]))
        self.epilogues = program.epilogues
        self.next_column = 0
        self.queues: list[deque] = [deque() for _ in range(config.lanes)]
        self.left = [0] * config.lanes
        self.fired_tiles = [0] * config.lanes
        self.done_at: dict[int, int] = {}
        self.last_rows: dict[int, int] = {}
        self.visible_at: list[int] = []
        self.rows: list[tuple[int, int | None]] = []
        self.tile = 0
        self.busy_until = -10
        self.issues: list[int] = []
        self.stalls = [[0, 0, 0] for _ in range(frames + 1)]
        self.busy = 0

    def run(self) -> None:
        now = 0
        while len(self.visible_at) < self.frames * self.results:
            assert now < 10**5
            self.cycle(now)
            now += 1

    def cycle(self, now: int) -> None:
        self.sequence(now)
        self.broadcast(now)
        for lane in range(self.config.lanes):
            self.fire(lane, now)

    def broadcast(self, now: int) -> None:
        """Queues have lost what lanes popped in earlier cycles only: lanes fire after this."""
        frame, place = divmod(self.next_column, len(self.columns))
        if frame == self.frames:
            return
        tile, first, _, wait, _ = self.columns[place]
        tile += frame * len(self.epilogues)
        reached = sum(at <= now for at in self.visible_at)
        if first and tile >= 2 and now < self.last_rows.get(tile - 2, 1 << 60) + timing.BANK_FREE:
            self.stalls[frame][0] += 1
        elif wait is not None and reached < wait + frame * self.results:
            self.stalls[frame][1] += 1
        elif max(len(queue) for queue in self.queues) == self.config.queue_depth:
            self.stalls[frame][2] += 1
        else:
            for queue in self.queues:
                queue.append((self.next_column, now + timing.BROADCAST))
            self.issues.append(now)
            self.next_column += 1

    def fire(self, lane: int, now: int) -> None:
        queue = self.queues[lane]
        if not queue or queue[0][1] > now:
            return
        frame, place = divmod(queue[0][0], len(self.columns))
        tile, _, last, _, counts = self.columns[place]
        self.left[lane] += 1
        self.busy += 1
        if self.left[lane] == counts[lane]:
            self.left[lane] = 0
            queue.popleft()
            if last:
                self.fired_tiles[lane] += 1
                if min(self.fired_tiles) == self.fired_tiles[lane]:
                    self.done_at[frame * len(self.epilogues) + tile] = now + timing.MAC

    def sequence(self, now: int) -> None:
        """One row a cycle, in slots of four for cells; gate o of cell k in slot k + O_SKEW."""
        if not self.rows and self.tile in self.done_at:
            ready = max(self.done_at[self.tile] + timing.EPILOGUE_START,
                        self.busy_until + timing.EPILOGUE_GAP)
            if now >= ready:
                epilogue = self.epilogues[self.tile % len(self.epilogues)]
                cells = epilogue.cell is LSTM
                slots = (epilogue.count + timing.O_SKEW) * 4 if cells else epilogue.count
                done = timing.O_SKEW if cells else 0
                self.rows = [(slot, slot // 4 - done if cells and slot % 4 == 3 else
                              (None if cells else slot)) for slot in range(slots)]
        if self.rows:
            _, result = self.rows.pop(0)
            if result is not None and result >= 0:
                self.visible_at.append(now + timing.VISIBLE)
            if not self.rows:
                self.last_rows[self.tile] = self.busy_until = now
                self.tile += 1


def check_against_stepped(config: EngineConfig, counts: Any, program: Program, frames: int
                          ) -> CycleReport:
    report = simulate_cycles(config, counts, program, frames)
    stepped = Stepped(config, list(counts), program, frames)
    stepped.run()
    columns = report.columns
    assert len(stepped.issues) == frames * columns > 0
    for number, frame in enumerate(report.frames):
        assert frame.last_issue == stepped.issues[(number + 1) * columns - 1]
        assert frame.last_visible == stepped.visible_at[(number + 1) * program.results - 1]
        assert vars(frame.stalls) == dict(zip(("bank", "dependency", "queue"),
                                              stepped.stalls[number], strict=True))
    assert stepped.busy == frames * report.entries
    return report


@pytest.mark.parametrize("depth", [1, 2, 5, 64])
@pytest.mark.parametrize("sizes", [[(13, 7)], [(7, 0), (9, 5), (3, 0)], [(2, 1)], [(1, 0)],
                                   [(20, 0)]])
def test_exact_on_random_networks(nets: Any, seed: int, depth: int, sizes: Any) -> None:
    rng = np.random.default_rng([seed, depth, len(sizes)])
    config = CONFIG.replace(queue_depth=depth)
    layers = nets.random_layers(rng, config, int(rng.integers(1, 9)), sizes, 0.5, True)
    decoded = decode_image(nets.encode(config, *nets.build(config, layers)))
    check_against_stepped(config, decoded.counts, decoded.program, 4)


def test_exact_on_uneven_counts(nets: Any, seed: int) -> None:
    """Heavy columns, so that queues fill and lanes drift apart."""
    rng = np.random.default_rng(seed)
    waited = 0
    for depth in (1, 3, 8):
        config = CONFIG.replace(queue_depth=depth)
        layers = nets.random_layers(rng, config, 6, [(14, 9), (5, 0)], 0.5, True)
        program, *_ = nets.build(config, layers)
        counts = [rng.integers(1, 9, (3, sum(s.length for s in segments)))
                  * rng.integers(1, 3, (3, 1)) for segments, _ in program.tiles()]
        report = check_against_stepped(config, counts, program, 4)
        waited += report.stalls.queue
    assert waited > 0


def one_tile(cell: CellType, count: int, length: int, need: int = 0, wait: bool = False) -> Program:
    return Program((Segment(0, 8, length, need, wait, wait, True),),
                   (Epilogue(cell.kind, count, 0, 16, 32, 0, 0, True, True),), (0,), 0, 8, length)


def test_one_column_by_hand() -> None:
    config = EngineConfig(lanes=1, channels=1)
    report = simulate_cycles(config, [np.array([[3]])], one_tile(LINEAR, 2, 1), 2)
    last_fire = timing.BROADCAST + 2
    first_row = last_fire + timing.MAC + timing.EPILOGUE_START
    frame = report.frames[0]
    assert (frame.last_issue, frame.last_fire) == (0, last_fire)
    assert frame.last_visible == first_row + 1 + timing.VISIBLE
    assert report.frames[1].last_issue == 1 and report.frames[1].last_fire == last_fire + 3
    report = simulate_cycles(config, [np.array([[3]])], one_tile(LSTM, 2, 1), 2)
    assert report.frames[0].last_visible == (
        first_row + 4 * (1 + timing.O_SKEW) + 3 + timing.VISIBLE)


def test_lone_recurrence_by_hand() -> None:
    """One linear row that reads itself: the whole pipeline, round and round."""
    config = EngineConfig(lanes=1, channels=1)
    program = one_tile(LINEAR, 1, 1, need=0, wait=True)
    report = simulate_cycles(config, [np.array([[1]])], program, 6)
    loop = timing.BROADCAST + timing.MAC + timing.EPILOGUE_START + timing.VISIBLE
    assert report.periods[-2:] == [loop, loop]
    assert report.stalls == Stalls(0, loop - 1, 0)
    assert report.utilisation == pytest.approx(1 / loop)


def test_short_tiles_wait_for_their_bank() -> None:
    """One column in, twenty rows out: the epilogues set the pace."""
    config = EngineConfig(lanes=1, channels=1)
    program = Program(tuple(Segment(0, 8, 1, 0, False, False, True) for _ in range(3)),
                      tuple(Epilogue(LINEAR.kind, 20, 0, 16 + 20 * k, 80 + 20 * k, 0, 20 * k,
                                     k == 2, k == 2) for k in range(3)), (0, 1, 2), 0, 8, 1)
    report = check_against_stepped(config, [np.ones((1, 1), dtype=int)] * 3, program, 6)
    assert report.cycles_per_frame == 3 * (20 - 1 + timing.EPILOGUE_GAP)
    assert report.stalls == Stalls(report.cycles_per_frame - 3, 0, 0)


def test_work_bound_frame_reaches_every_slot() -> None:
    """Enough entries to hide everything else: the lane fires in every cycle."""
    config = EngineConfig(lanes=2, channels=1)
    counts = [np.full((2, 16), 20)]
    report = simulate_cycles(config, counts, one_tile(LSTM, 8, 16), 6, nulls=40, fillers=8)
    assert report.periods[-2:] == [320, 320]
    assert (report.entries, report.weights, report.ideal_cycles) == (640, 592, 296)
    assert report.stalls.total == 320 - 16
    assert report.utilisation == 592 / 640


def test_stalls_and_columns_fill_the_broadcaster(nets: Any, seed: int) -> None:
    rng = np.random.default_rng(seed)
    layers = nets.random_layers(rng, CONFIG, 5, [(13, 7)], 0.5, True)
    report = simulate_model(decode_image(nets.encode(CONFIG, *nets.build(CONFIG, layers))), 8)
    assert report.nulls > 0
    for before, frame in zip(report.frames[:-1], report.frames[1:], strict=True):
        assert frame.last_issue - before.last_issue == report.columns + frame.stalls.total


def balanced_google_lstm(nets: Any, config: EngineConfig) -> DecodedModel:
    """153/1024/512 at 11.2 %, the same number of weights in every lane of every matrix."""
    rng = np.random.default_rng(7)

    def matrix(rows: int, columns: int) -> np.ndarray:
        weights = np.zeros((rows, columns), dtype=np.int64)
        for lane in range(config.lanes):
            part = weights[lane::config.lanes]
            kept = rng.choice(part.size, round(part.size * 0.112), replace=False)
            np.put(part_flat := np.zeros(part.size, dtype=np.int64), kept, 1)
            weights[lane::config.lanes] = part_flat.reshape(part.shape)
        return weights

    zeros = np.zeros((4, 1024), dtype=np.int64)
    layer = nets.Layer(np.stack([matrix(1024, 153) for _ in range(4)]),
                       np.stack([matrix(1024, 512) for _ in range(4)]), zeros, zeros, 12,
                       matrix(512, 1024), zeros[0, :512], 12)
    program, tiles, bias, peephole = nets.build(config, [layer])
    counts, nulls = [], 0
    for (segments, epilogue), tile in zip(program.tiles(), tiles, strict=True):
        lane = tile.rows // (epilogue.cell.size) % config.lanes
        columns = sum(segment.length for segment in segments)
        count = np.bincount(lane * columns + tile.columns, minlength=config.lanes * columns)
        nulls += np.count_nonzero(count == 0)
        counts.append(np.maximum(count, 1).reshape(config.lanes, columns))
    return DecodedModel(config, program, tuple(tiles), bias, peephole, tuple(counts), nulls)


def test_google_lstm(nets: Any) -> None:
    """About 97 % of the multipliers' cycles at queue depth 32, fewer at 8; ESE reached 68.9 %."""
    model = balanced_google_lstm(nets, EngineConfig(lanes=32, channels=32))
    begin = time.perf_counter()
    deep = simulate_model(model)
    seconds = time.perf_counter() - begin
    shallow = simulate_cycles(model.config.replace(queue_depth=8), model.counts, model.program, 5,
                              nulls=model.null_entries)
    for report in (deep, shallow):
        print(f"{report.cycles_per_frame} cycles, ideal {report.ideal_cycles}, utilisation "
              f"{report.utilisation:.3f}, {report.stalls}, {seconds:.2f} s")
    assert 0.955 < deep.utilisation < 0.985
    assert 0.89 < shallow.utilisation < 0.95
    assert seconds < 5


@pytest.mark.parametrize("frames, counts, program, message", [
    (1, [np.ones((1, 2), int)], one_tile(LINEAR, 1, 2), "frames: must be at least 2, got 1"),
    (2, [np.ones((2, 2), int)], one_tile(LINEAR, 1, 2), r"counts: must have the shapes \[\(1, 2\)"),
    (2, [np.array([[1, 0]])], one_tile(LINEAR, 1, 2), "counts: must be at least 1 entry in every"),
    (2, [np.ones((1, 2), int)], one_tile(LINEAR, 1, 2, 1, True),
     "segments: a column must not wait for result 1 of its frame before an earlier tile"),
])
def test_bad_calls(frames: int, counts: Any, program: Program, message: str) -> None:
    with pytest.raises(EseError, match="^" + message):
        simulate_cycles(EngineConfig(lanes=1, channels=1), counts, program, frames)


@pytest.mark.parametrize("sizes", [[(13, 7)], [(9, 0), (9, 5)]])
def test_segments_share_out_every_lane_cycle(nets: Any, seed: int, sizes: Any) -> None:
    rng = np.random.default_rng(seed)
    config = CONFIG.replace(queue_depth=4)
    layers = nets.random_layers(rng, config, 6, sizes, 0.5, True)
    decoded = decode_image(nets.encode(config, *nets.build(config, layers)))
    report = simulate_model(decoded, 12)
    assert report.periods[-2] == report.periods[-1]
    last = report.frames[-1]
    assert len(last.segments) == len(decoded.program.segments) > 1
    assert sum(part.entries for part in last.segments) == report.entries
    assert sum(part.lane_cycles for part in last.segments) == (
        config.lanes * report.cycles_per_frame)
    for name in ("bank", "dependency", "queue"):
        assert sum(getattr(part.stalls, name) for part in last.segments) == getattr(
            report.stalls, name)


def test_one_lane_in_one_queue_place_waits_for_the_pipeline_alone(nets: Any) -> None:
    """Depth 1: each column is issued the cycle after the one before was fired."""
    config = CONFIG.replace(lanes=1, queue_depth=1)
    layers = nets.random_layers(np.random.default_rng(3), config, 5, [(1, 0)], 1.0, True)
    decoded = decode_image(nets.encode(config, *nets.build(config, layers)))
    inputs, recurrent = simulate_model(decoded, 6).frames[-1].segments
    assert inputs.starved == Stalls(0, 0, 5 * timing.BROADCAST)
    assert recurrent.starved.dependency > 0


def test_a_faster_element_wise_unit_never_takes_longer(nets: Any, seed: int) -> None:
    rng = np.random.default_rng(seed)
    layers = nets.random_layers(rng, CONFIG, 4, [(17, 5)], 0.3, True)
    decoded = decode_image(nets.encode(CONFIG, *nets.build(CONFIG, layers)))
    cycles = [simulate_model(decoded, 8, cycles_per_cell=cycles).cycles_per_frame
              for cycles in (1, 2, 4, 8, 64)]
    assert cycles == sorted(cycles)
    assert cycles[2] == simulate_model(decoded, 8).cycles_per_frame < cycles[-1]
    with pytest.raises(EseError, match=r"^cycles_per_cell: must be at least 1, got 0$"):
        simulate_model(decoded, cycles_per_cell=0)
