"""Beats that load an image through the engine's load port."""

from collections.abc import Iterator

from ...contract.image import Image
from ...contract.layout import Section, load_layout

_SECTIONS = {Section.HEADER: "header", Section.SEGMENT: "segments",
             Section.EPILOGUE: "epilogues", Section.PARAM: "params"}


def load_beats(image: Image) -> list[int]:
    """Words of the load port (``contract.layout.load_layout``) in the order to send them."""
    layout = load_layout(image.config)
    return [layout.pack({"section": section, "lane": lane, "address": address, "data": data})
            for section, lane, address, data in _words(image)]


def _words(image: Image) -> Iterator[tuple[Section, int, int, int]]:
    for section, name in _SECTIONS.items():
        for address, word in enumerate(image.words(name)):
            yield section, 0, address, word
    for lane in range(image.config.lanes):
        entries = image.lane_stream(lane)
        yield Section.LANE_LAST, lane, 0, len(entries) - 1
        for address, entry in enumerate(entries):
            yield Section.ENTRY, lane, address, int(entry)
