"""What ESE reached, as published: the one place that holds the paper's figures.

Source: Han et al., "ESE: Efficient Speech Recognition Engine with Sparse LSTM on FPGA", FPGA'17.
Tags: [pub] stated in the paper's abstract or slides; [rec] recalled from its tables and
cross-checked by arithmetic; [calc] computed from the others.
"""

from dataclasses import dataclass

INPUTS = 153
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
    """The paper's whole frame of 32 streams."""

    entries: int = 364_320
    """[rec]"""
    theoretical_us: float = 57.0
    """[rec]"""
    real_us: float = 82.7
    """[rec]; the nine matrices' 77.35 and the slot of the first weight load, 5.36."""
    gops: float = 282.0
    """On the sparse network [pub]."""
    dense_tops: float = 2.52
    """Dense equivalent [pub]."""
    cycles: int = 16_540
    """Real cycles at CLOCK_MHZ [calc]."""

    @property
    def ideal_cycles(self) -> float:
        """Theoretical cycles at CLOCK_MHZ [calc]."""
        return self.theoretical_us * CLOCK_MHZ

    @property
    def utilisation(self) -> float:
        """Share of multiplier cycles that multiply, 68.9 % [rec]."""
        return self.theoretical_us / self.real_us


TOTAL = PaperTotal()

SPEEDUP_DENSITY = 0.10
SPEEDUP_BALANCED, SPEEDUP_UNBALANCED = 6.2, 5.5
"""Over the dense network at SPEEDUP_DENSITY, load-balance-aware pruning and plain [pub]."""

QUEUE_DEPTH = 8
"""Activations a PE's queue holds [pub]."""
