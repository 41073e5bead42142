"""Beats that load an image through the engine's load port."""

from ...contract.image import Image
from ...contract.layout import Section, load_layout


def load_beats(image: Image) -> list[int]:
    """Every beat of the load port that writes ``image`` into an engine, in loading order.

    Header, segments, epilogues, params, then each lane's last address, then all entries, lane
    after lane.
    """
    layout = load_layout(image.config)
    address = layout.offset("address")
    lane = layout.offset("lane")
    section = layout.offset("section")
    beats = []
    for name, target in (("header", Section.HEADER), ("segments", Section.SEGMENT),
                         ("epilogues", Section.EPILOGUE), ("params", Section.PARAM)):
        beats += [word | position << address | target << section
                  for position, word in enumerate(image.words(name))]
    lengths = [int(length) for length in image.sections["lane_lengths"]]
    beats += [max(length - 1, 0) | position << lane | Section.LANE_LAST << section
              for position, length in enumerate(lengths)]
    for number in range(len(lengths)):
        fixed = number << lane | Section.ENTRY << section
        beats += [entry | position << address | fixed
                  for position, entry in enumerate(image.lane_stream(number).tolist())]
    return beats
