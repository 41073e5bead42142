"""Packets on the shell's streams."""

import re

import numpy as np
import pytest

from ese_lstm.compress.pipeline import compress_network
from ese_lstm.compress.synthetic import LayerShape, random_frames, random_network
from ese_lstm.contract.config import PRESETS, EngineConfig
from ese_lstm.contract.errors import EseError
from ese_lstm.contract.layout import Section, entry_layout, epilogue_layout
from ese_lstm.contract.packets import (
    MEMORY_SECTION,
    container_bits,
    descriptor_layout,
    frame_widths,
    load_packets,
    load_sections,
    memory_packet,
    pack_frames,
    row_beats,
    unpack_results,
)
from ese_lstm.contract.shell import SHELL_PRESETS

TINY, SHELL = PRESETS["tiny"], SHELL_PRESETS["tiny"]


@pytest.fixture
def image(seed):
    rng = np.random.default_rng(seed)
    network = random_network(rng, 5, [LayerShape(6, 3)], 0.5)
    return compress_network(network, TINY, 1.0, [random_frames(rng, 20, 5)])[0]


@pytest.mark.parametrize("act_bits, bits", [(8, 16), (16, 16), (17, 32), (18, 32)])
def test_containers(act_bits, bits):
    config = EngineConfig(lanes=1, channels=3, act_bits=act_bits)
    assert container_bits(config) == bits
    assert row_beats(config, SHELL) == -(-3 * bits // 64)


@pytest.mark.parametrize("stream_bits", [64, 128, 1024])
@pytest.mark.parametrize("channels, act_bits", [(1, 8), (2, 16), (5, 16), (9, 18)])
def test_frames_and_results_round_trip(seed, stream_bits, channels, act_bits):
    rng = np.random.default_rng(seed)
    config = EngineConfig(lanes=1, channels=channels, act_bits=act_bits)
    shell = SHELL.replace(stream_bits=stream_bits)
    limit = 1 << (act_bits - 1)
    frames = rng.integers(-limit, limit, (4, 3, channels))
    active, start = rng.random((2, 4, channels)) < 0.5
    packets = pack_frames(frames, active, start, config, shell)
    assert packets.shape == (4, 4 * row_beats(config, shell) * stream_bits // 8)
    rows = unpack_results(packets, config, shell)  # of results, which have no row of flags
    assert np.array_equal(rows[:, 0], active + 2 * start)
    assert np.array_equal(rows[:, 1:], frames)


def test_bytes_of_a_packet():
    """Two channels in beats of eight bytes: flags, then two rows; little-endian, zero-padded."""
    frames = np.array([[[1, -2], [0x1234, 0x7FFF]]])
    packet = pack_frames(frames, np.array([[True, False]]), np.array([[True, True]]), TINY, SHELL)
    assert packet.tobytes().hex() == ("0300" "0200" "00000000" "0100" "feff" "00000000"
                                      "3412" "ff7f" "00000000")


@pytest.mark.parametrize("frames, message", [
    (np.zeros((2, 3, 4), int), "frames: must have the shape (T, inputs, 2), got (2, 3, 4)"),
    (np.zeros((2, 3, 2)), "frames: must be integers, got float64"),
    (np.full((2, 3, 2), 1 << 15), "frames: must be integers of 16 bits, got 32768 to 32768"),
    (np.zeros((1, 3, 2), int), "active: must have the shape (1, 2), got (2, 2)"),
])
def test_wrong_frames(frames, message):
    masks = np.ones((2, 2), bool)
    with pytest.raises(EseError, match=re.escape(message)):
        pack_frames(frames, masks, masks, TINY, SHELL)


def test_results_of_a_torn_packet():
    with pytest.raises(EseError, match=r"^packets: must have the shape \(T, n\) .* of 8 bytes"):
        unpack_results(np.zeros((1, 12), np.uint8), TINY, SHELL)


@pytest.mark.parametrize("stream_bits", [64, 256])
def test_packets_hold_every_word_of_an_image(image, stream_bits):
    shell = SHELL.replace(stream_bits=stream_bits)
    layout, sections = descriptor_layout(), load_sections(TINY)
    assert layout.bits == 64
    found = {section: {} for section in Section}
    order = []
    for packet in load_packets(image, shell):
        beats = packet.reshape(-1, shell.stream_bytes)
        fields = layout.unpack(int.from_bytes(beats[0].tobytes(), "little"))
        section = sections[Section(fields["section"])]
        order.append(section.section)
        assert fields["address"] == 0 and fields["lane"] < section.lanes
        per_word = section.beats(shell)
        words = [int.from_bytes(word.tobytes(), "little")
                 for word in beats[1:].reshape(-1, per_word * shell.stream_bytes)]
        assert 0 < len(words) <= section.words and max(words) >> section.bits == 0
        assert fields["lane"] not in found[section.section]
        found[section.section][fields["lane"]] = words
    assert order[-1] == Section.HEADER
    assert found[Section.HEADER] == {0: image.words("header")}
    assert found[Section.SEGMENT] == {0: image.words("segments")}
    assert found[Section.EPILOGUE] == {0: image.words("epilogues")}
    assert found[Section.PARAM] == {0: image.words("params")}
    lanes = range(TINY.lanes)
    assert found[Section.ENTRY] == {lane: image.lane_stream(lane).tolist() for lane in lanes}
    assert found[Section.LANE_LAST] == {lane: [len(image.lane_stream(lane)) - 1] for lane in lanes}


def test_words_take_as_many_beats_as_they_need():
    sections = load_sections(PRESETS["xcku060-32x32"])
    epilogue = sections[Section.EPILOGUE]
    assert epilogue.bits == epilogue_layout(PRESETS["xcku060-32x32"]).bits > 64
    assert epilogue.beats(SHELL) == 2 and epilogue.beats(SHELL.replace(stream_bits=128)) == 1
    assert sections[Section.ENTRY].bits == entry_layout(PRESETS["xcku060-32x32"]).bits


def test_memory_packet_is_whole_beats():
    shell = SHELL.replace(stream_bits=128)
    packet = memory_packet(np.arange(1, 20, dtype=np.uint8), shell, address=0x1230)
    assert len(packet) == 3 * 16
    assert descriptor_layout().unpack(int.from_bytes(packet[:8].tobytes(), "little")) == {
        "section": MEMORY_SECTION, "lane": 0, "address": 0x1230}
    assert packet[16:].tolist() == [*range(1, 20), *[0] * 13]
    with pytest.raises(EseError, match=r"^address: must be a multiple of 16 bytes, got 8$"):
        memory_packet(np.zeros(1, np.uint8), shell, address=8)


def test_frame_widths(image):
    assert frame_widths(image) == (5, 3)
