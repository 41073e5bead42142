"""Contents of the engine's memories as ``$readmemh`` files, one per section and one per lane.

The load port writes the same words; these files are for simulators, for memory initialisation in
synthesis, and for reading.
"""

from pathlib import Path

from ..contract.files import write_contents
from ..contract.image import SECTIONS, Image, section_layouts
from ..contract.layout import Layout


def write_memories(image: Image, folder: Path) -> list[Path]:
    """Write ``header.hex``, ``segments.hex``, ``epilogues.hex``, ``params.hex``,
    ``lane_lengths.hex`` and ``entries_lane_NNN.hex`` into ``folder``; returns the files.

    One word a line in hexadecimal, address 0 first, as wide as the memory (``lane_lengths``: the
    stream address). All files or none: raises EseError if ``folder`` cannot be written.
    """
    layouts = section_layouts(image.config)
    files: dict[Path, bytes | str] = {}
    for section in SECTIONS:
        if section == "entries":
            digits = max(3, len(str(image.config.lanes - 1)))
            for lane in range(image.config.lanes):
                words = [int(word) for word in image.lane_stream(lane)]
                files[folder / f"entries_lane_{lane:0{digits}}.hex"] = _text(
                    words, layouts["entries"].bits, _describe(layouts["entries"]))
        elif section == "lane_lengths":
            words = [int(length) for length in image.sections[section]]
            files[folder / f"{section}.hex"] = _text(
                words, image.config.stream_address_bits + 1, "entries of each lane")
        else:
            files[folder / f"{section}.hex"] = _text(
                image.words(section), layouts[section].bits, _describe(layouts[section]))
    write_contents(files)
    return list(files)


def _describe(layout: Layout) -> str:
    fields = ", ".join(f"{field.name}[{field.bits}]" for field in reversed(layout.fields))
    return f"{layout.name} of {layout.bits} bits, most significant first: {fields}"


def _text(words: list[int], bits: int, description: str) -> str:
    digits = -(-bits // 4)
    return f"// {description}\n" + "".join(f"{word:0{digits}x}\n" for word in words)
