"""cocotb bench: what a host may do wrong, in the middle of, or again; scenarios by name.

The job holds an image's load packets, input packets, the output packets that they give from a
start on, and the scenario. Every scenario ends with a whole run that must give them once more.
"""

import cocotb
import numpy as np
from bench_axi import CHANNELS, ShellBench
from cocotbext.axi import AxiResp

from ese_lstm.contract.layout import Section
from ese_lstm.contract.packets import descriptor_layout
from ese_lstm.contract.registers import offset, register
from ese_lstm.sim.rtl.bench import finish, generator, job
from ese_lstm.sim.rtl.packets import split_packets

BEAT = 8
SCENARIOS = {}


def scenario(function):
    SCENARIOS[function.__name__] = function
    return function


class Host(ShellBench):
    """A host with an image and frames, who counts what was compared."""

    def __init__(self, dut, values):
        self.rng = generator(int(values["seed"]))
        super().__init__(dut, self.rng, dict.fromkeys(CHANNELS, str(values["pause"])))
        self.image = split_packets(values["load"], values["load_sizes"])
        self.packets, self.expected = list(values["frames"]), list(values["outputs"])
        self.compared = 0
        self.streamed = int(values["weight_base"]), int(values["row_count"])
        self.lanes, self.row_bytes = int(values["lanes"]), int(values["row_bytes"])

    async def run(self, on=1):
        if on and self.memory is not None:
            await self.weights(*self.streamed)
        await super().run(on)

    async def compare(self, count, first=0):
        """The next output packets are those of these frames since the start."""
        for number in range(first, first + count):
            assert np.array_equal(await self.take(), self.expected[number]), f"frame {number}"
            self.compared += self.expected[number].size

    async def whole_run(self):
        """Start, all frames, stop; nothing else comes, and no error is told."""
        await self.run()
        for packet in self.packets:
            self.send(packet)
        await self.compare(len(self.packets))
        await self.stop()
        assert self.results.empty() and await self.errors() == []

    async def irq_follows(self, name):
        """A cause of irq raises it while it is enabled and until it is cleared."""
        word = register("IRQ_STATUS").pack({name: 1})
        assert await self.read("IRQ_STATUS") & word and not int(self.dut.irq.value)
        await self.write("IRQ_ENABLE", word)
        await self.cycles(4)
        assert int(self.dut.irq.value)
        await self.write("IRQ_STATUS", word)
        await self.cycles(4)
        assert not int(self.dut.irq.value)
        await self.write("IRQ_ENABLE", 0)

    def keep(self, packet, position):
        """TKEEP with one byte of one beat missing."""
        keep = [1] * len(packet)
        keep[BEAT * position + self.rng.randrange(BEAT)] = 0
        return keep


def descriptor(section, lane=0, address=0, words=1):
    word = descriptor_layout().pack({"section": section, "lane": lane, "address": address})
    return np.concatenate([np.frombuffer(word.to_bytes(BEAT, "little"), np.uint8),
                           np.zeros(BEAT * words, np.uint8)])


@scenario
async def restarts_without_loading(host):
    for _ in range(3):
        await host.whole_run()
    assert (await host.counters())["frames"] == len(host.packets), "of the last start"


@scenario
async def bad_input_packets(host):
    """Between good ones: dropped whole, each told by its own bit, and the frames go on."""
    await host.run()
    size = len(host.packets[0])
    bad = [("frame_length", host.packets[1][:-BEAT], None),
           ("frame_length", host.packets[1][:BEAT], None),
           ("frame_length", host.packets[1][:-host.row_bytes], None),
           ("frame_length", np.concatenate([host.packets[1], host.packets[2]]), None),
           ("frame_length", np.concatenate([host.packets[1], host.packets[2][:BEAT]]), None),
           ("frame_keep", host.packets[1], host.keep(host.packets[1], 0)),
           ("frame_keep", host.packets[1], host.keep(host.packets[1], size // BEAT - 1)),
           ("frame_keep", host.packets[1][:3 * BEAT], host.keep(host.packets[1][:3 * BEAT], 1))]
    dropped = 0
    for number, packet in enumerate(host.packets):
        if number < len(bad):
            name, torn, keep = bad[number]
            host.send(torn, keep)
            dropped += 1
            await host.sent(host.frames)
            if number == 0:
                await host.irq_follows("error")
            assert await host.errors() == [name]
        host.send(packet)
    await host.compare(len(host.packets))
    counters = await host.counters()
    assert counters["frames_dropped"] == dropped == len(bad)
    assert counters["frames_in"] == counters["frames"] == len(host.packets)
    assert await host.errors() == []
    await host.stop()
    await host.whole_run()


@scenario
async def bad_load_packets(host):
    """Each told by its own bit; none changes what is loaded."""
    lanes, depth = host.lanes, 1 << 20
    entry = next(packet for packet in host.image if packet[0] == Section.ENTRY)
    bad = [("load_section", descriptor(6), None), ("load_section", descriptor(255), None),
           ("load_lane", descriptor(Section.ENTRY, lanes), None),
           ("load_lane", descriptor(Section.HEADER, 1), None),
           ("load_length", descriptor(Section.PARAM, address=depth), None),
           ("load_length", descriptor(Section.HEADER, address=1), None),
           ("load_length", descriptor(Section.PARAM, words=0), None),
           ("load_length", entry, host.keep(entry, 0)),
           ("load_length", entry, host.keep(entry, 2))]
    for name, packet, keep in bad:
        host.send_load(packet, keep)
        await host.sent(host.loads)
        await host.until("STATUS", "load_busy", 0)
        assert await host.errors() == [name]
    await host.run()
    await host.until("STATUS", "running")
    for packet in host.image[:3]:
        host.send_load(packet)
    await host.sent(host.loads)
    assert await host.errors() == ["load_busy"]
    await host.stop()
    await host.whole_run()


@scenario
async def bad_accesses(host):
    await host.run()
    for address, write in ((0xFFC, 0), (0xFFC, 1), (offset("ID"), 1), (offset("STATUS"), 1),
                           (offset("STATUS") + 1, 0)):
        answer = (await host.axil.write(address, bytes(4)) if write else
                  await host.axil.read(address, 1 if address % 4 else 4))
        assert answer.resp == AxiResp.SLVERR
        assert await host.errors() == ["access"]
    host.send(host.packets[0])
    await host.compare(1)
    await host.irq_follows("frame_done")
    await host.stop()
    await host.whole_run()


@scenario
async def soft_reset_in_mid_input(host):
    """The rest of the packet is swallowed; without a header frames are refused; with it all is as
    before, as the words loaded are still there."""
    beats = len(host.packets[0]) // BEAT
    for cut in (1, beats // 2, beats + 3):
        await host.run()
        begun = host.beats["s_axis_frame"]
        for packet in host.packets[:3]:
            host.send(packet)
        await host.until_beats("s_axis_frame", begun + cut)
        await host.soft_reset()
        while not host.results.empty():
            await host.take()
        assert await host.flag("STATUS", "running") == 0 and await host.flag("CONTROL", "run") == 0
        await host.run()
        await host.sent(host.frames)
        await host.errors()
        host.send(host.packets[0])
        await host.sent(host.frames)
        assert await host.errors() == ["frame_length"]
        await host.stop()
        await host.load(host.image[-1:])
        await host.whole_run()


@scenario
async def soft_reset_in_mid_output(host):
    """A packet under way ends early, by TLAST; nothing of it is left for the next run."""
    size = len(host.expected[0])
    for cut in (1, 2, size // BEAT - 1):
        await host.run()
        host.results.clear_pause_generator()
        host.results.pause = True
        begun = host.beats["m_axis_frame"]
        for packet in host.packets[:4]:
            host.send(packet)
        while host.beats["m_axis_frame"] < begun + cut:
            host.results.pause = host.rng.random() < 0.5
            await host.cycles(1)
        host.results.pause = True
        await host.cycles(3)
        moved = host.beats["m_axis_frame"] - begun
        await host.soft_reset()
        busy = await host.flag("STATUS", "result_busy")
        host.results.pause = False
        torn = await host.take()
        ended = len(torn) // BEAT
        assert moved <= ended <= moved + 2 and ended <= size // BEAT and busy == (ended > moved)
        await host.cycles(50)
        assert host.results.empty() and not await host.flag("STATUS", "result_busy")
        await host.sent(host.frames)
        await host.load(host.image[-1:])
        await host.whole_run()


@scenario
async def soft_reset_in_mid_load(host):
    """The rest of the load packet is swallowed; half an image does not run."""
    for cut in (1, 2, 20):
        begun = host.beats["s_axis_load"]
        host.send_load(max(host.image, key=len))
        await host.until_beats("s_axis_load", begun + cut)
        await host.soft_reset()
        await host.sent(host.loads)
        await host.run()
        host.send(host.packets[0])
        await host.sent(host.frames)
        assert await host.errors() == ["frame_length"]
        await host.stop()
        await host.load(host.image)
        await host.whole_run()


@scenario
async def reset_in_mid_transfer(host):
    """Of a load packet, of frames, of results, of a register access. Words loaded before are
    still there: the header alone makes them an image again."""
    for attempt in range(4):
        await host.run()
        for packet in host.packets[:4]:
            host.send(packet)
        host.send_load(host.image[0])
        host.axil.write_if.init_write(offset("SCRATCH"), bytes(4))
        host.axil.read_if.init_read(offset("ID"), 4)
        await host.cycles(host.rng.randrange(1, 400))
        host.frames.clear()
        host.loads.clear()
        await host.reset()
        host.results.clear()
        assert await host.read("ERROR") == 0 and await host.flag("STATUS", "idle")
        assert sum((await host.counters()).values()) == 0
        await host.load(host.image[-1:] if attempt % 2 else host.image)
        await host.whole_run()


@scenario
async def run_lowered_with_frames_in_flight(host):
    """Frames that have started are finished, those that wait in the engine and the packet under
    way are forgotten; packets not begun wait for the next start, which is a new one."""
    size = len(host.packets[0]) // BEAT
    for wait in (0, 30, 200, 500):
        before = host.beats["s_axis_frame"]
        await host.run()
        for packet in host.packets:
            host.send(packet)
        await host.cycles(wait)
        await host.stop()
        started = (await host.counters())["frames"]
        await host.compare(started)
        await host.cycles(50 * size)
        assert host.results.empty() and await host.errors() == []
        begun, torn = divmod(host.beats["s_axis_frame"] - before, size)
        assert torn == 0 and started <= begun < len(host.packets)
        await host.run()
        for _ in range(len(host.packets) - begun):
            await host.take()
        await host.stop()
        await host.whole_run()


@scenario
async def a_start_waits_for_a_load_packet(host):
    packet = max(host.image, key=len)
    host.loads.clear_pause_generator()
    host.loads.pause = False
    begun = host.beats["s_axis_load"]
    host.send_load(packet)
    await host.until_beats("s_axis_load", begun + 3)
    host.loads.pause = True
    await host.run()
    for frame in host.packets:
        host.send(frame)
    await host.cycles(100)
    assert host.beats["s_axis_load"] - begun < len(packet) // BEAT
    assert not await host.flag("STATUS", "running") and await host.flag("STATUS", "load_busy")
    host.loads.pause = False
    await host.compare(len(host.packets))
    await host.stop()
    assert await host.errors() == []
    await host.whole_run()


async def act(dut, kind):
    """The job's scenario, by a host of this kind."""
    values = job()
    host = kind(dut, values)
    await host.reset()
    await host.load(host.image)
    await SCENARIOS[str(values["scenario"])](host)
    finish({"compared": host.compared})


@cocotb.test()
async def play(dut):
    await act(dut, Host)
