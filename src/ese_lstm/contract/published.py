"""Figures that others published: ESE's, and what the data sheets say of chip and memory.

Whatever compares with them takes them from here. Source, unless another is stated: Han et al.,
"ESE: Efficient Speech Recognition Engine with Sparse LSTM on FPGA", FPGA'17. Tags: [pub] stated in
the abstract, slides or data sheet; [rec] recalled from the paper's tables and cross-checked by
arithmetic; [calc] computed from the others.
"""

from dataclasses import dataclass

INPUTS, CELLS, PROJECTION = 153, 1024, 512
"""Features a frame, cells and projected values of ESE's LSTM layer [pub]."""

LANES, CHANNELS = 32, 32
CLOCK_MHZ = 200.0


@dataclass(frozen=True)
class PaperMatrix:
    """One row of the paper's table, all [rec]. density in percent, times in µs."""

    name: str
    rows: int
    columns: int
    density: float
    entries: int
    theoretical_us: float
    real_us: float
    gops: float

    @property
    def utilisation(self) -> float:
        """Share of multiplier cycles that multiply [calc]."""
        return self.theoretical_us / self.real_us

    @property
    def cycles(self) -> float:
        """Real cycles at CLOCK_MHZ [calc]."""
        return self.real_us * CLOCK_MHZ


MATRICES = (
    PaperMatrix("Wix", 1024, 153, 11.7, 18304, 2.9, 5.36, 218.6),
    PaperMatrix("Wfx", 1024, 153, 11.7, 18272, 2.9, 5.36, 218.2),
    PaperMatrix("Wcx", 1024, 153, 11.8, 18560, 2.9, 5.36, 221.6),
    PaperMatrix("Wox", 1024, 153, 11.5, 17984, 2.8, 5.36, 214.7),
    PaperMatrix("Wir", 1024, 512, 11.3, 59360, 9.3, 10.31, 368.5),
    PaperMatrix("Wfr", 1024, 512, 11.5, 60416, 9.4, 10.01, 386.3),
    PaperMatrix("Wcr", 1024, 512, 11.2, 58880, 9.2, 9.89, 381.2),
    PaperMatrix("Wor", 1024, 512, 11.5, 60128, 9.4, 10.04, 383.5),
    PaperMatrix("Wym", 512, 1024, 10.0, 52416, 8.2, 15.66, 214.2),
)

DENSITIES = {matrix.name: matrix.density / 100 for matrix in MATRICES}


@dataclass(frozen=True)
class PaperTotal:
    """The paper's whole frame of 32 streams; cycles are real ones at CLOCK_MHZ."""

    entries: int
    theoretical_us: float
    real_us: float
    gops: float
    dense_tops: float
    cycles: int

    @property
    def ideal_cycles(self) -> float:
        """Theoretical cycles at CLOCK_MHZ [calc]."""
        return self.theoretical_us * CLOCK_MHZ

    @property
    def utilisation(self) -> float:
        """Share of multiplier cycles that multiply, 68.9 % [rec]."""
        return self.theoretical_us / self.real_us


TOTAL = PaperTotal(entries=364_320, theoretical_us=57.0, real_us=82.7, gops=282.0,
                   dense_tops=2.52, cycles=16_540)
"""Entries and times [rec]: the nine matrices' 77.35 µs and the slot of the first weight load, 5.36.
Operations a second on the sparse network, and of the dense one that it stands for, [pub]; cycles
[calc]."""

SPEEDUP_DENSITY = 0.10
SPEEDUP_BALANCED, SPEEDUP_UNBALANCED = 6.2, 5.5
"""Over the dense network at SPEEDUP_DENSITY, load-balance-aware pruning and plain [pub]."""

QUEUE_DEPTH = 8
"""Activations a PE's queue holds [pub]."""

COMPRESSION = 20.0
"""Bits of the dense weights in 32-bit floating point over bits stored: 10 × by pruning, 2 × by
quantisation [pub]."""


@dataclass(frozen=True)
class ChipResources:
    """Counted as the data sheet does. lutram: LUTs as RAM or shift register."""

    lut: int
    lutram: int
    ff: int
    bram36: int
    dsp: int


XCKU060 = ChipResources(lut=331_680, lutram=146_880, ff=663_360, bram36=1080, dsp=2760)
"""What ESE's chip has [pub: AMD DS890]; ``lutram`` is every LUT of a SLICEM."""

ESE_RESOURCES = ChipResources(lut=293_920, lutram=69_939, ff=453_068, bram36=947, dsp=1504)
"""What ESE used of it [rec]."""

REFRESH_NS, REFRESH_EVERY_NS = 350.0, 7800.0
"""Refresh of a DDR4 memory of 8 Gbit: how long, how often [pub: JEDEC JESD79-4]."""
