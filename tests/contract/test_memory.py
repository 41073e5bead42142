"""Timing of external memory."""

import pytest

from ese_lstm.contract.errors import EseError
from ese_lstm.contract.memory import MemoryTiming, bits_per_cycle


def test_bandwidth_in_bits_per_cycle() -> None:
    assert [bits_per_cycle(rate, 200) for rate in (6.4, 12.8, 19.2)] == [256, 512, 768]
    with pytest.raises(EseError, match="bandwidth: must be at least one bit a cycle, got 0 GB/s"):
        bits_per_cycle(0, 200)


def test_refresh_comes_at_its_interval() -> None:
    timing = MemoryTiming(64, 40, 10, 3)
    assert [cycle for cycle in range(22) if timing.refreshing(cycle)] == [0, 1, 2, 10, 11, 12,
                                                                          20, 21]
    assert not any(MemoryTiming(64).refreshing(cycle) for cycle in range(100))


@pytest.mark.parametrize("values, sentence", [
    ({"bits_per_cycle": 0}, "bits_per_cycle: must be at least 1, got 0"),
    ({"latency": 0}, "latency: must be at least 1, got 0"),
    ({"refresh_interval": 5, "refresh_cycles": 5},
     "refresh_cycles: must be below refresh_interval=5, got 5"),
])
def test_bad_timing_is_refused(values, sentence) -> None:
    with pytest.raises(EseError, match=sentence):
        MemoryTiming(**{"bits_per_cycle": 64, **values})
