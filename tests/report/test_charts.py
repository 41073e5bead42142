"""Charts: what is drawn is in proportion, scales are round and hold every value."""

import re

import numpy as np
import pytest

from ese_lstm.report.charts import Frame, bars, dots, legend, lines, panels, shares, ticks


@pytest.mark.parametrize("low, high, count", [
    (0, 100, 8), (38.4, 39.08, 5), (33.0, 33.0, 5), (-3.0, 7e6, 4), (1e-4, 2e-4, 5), (0, 0, 5),
    (38.4, 38.4001, 5)])
def test_ticks_are_round_and_hold_the_values(low, high, count):
    found = ticks(low, high, count)
    steps = np.diff(found)
    assert found[0] <= low and found[-1] >= high and 2 <= len(found) <= count + 3
    np.testing.assert_allclose(steps, steps[0])
    digits = f"{steps[0]:e}".split("e")[0].rstrip("0").rstrip(".")
    assert digits in ("1", "2", "2.5", "5")


def test_ticks_of_random_ranges(seed):
    rng = np.random.default_rng(seed)
    for _ in range(200):
        low, high = sorted(rng.normal(size=2) * 10.0 ** rng.integers(-3, 6))
        found = ticks(low, high)
        assert found[0] <= low + 1e-9 and found[-1] >= high - 1e-9 and len(found) <= 8


def test_points_stand_where_their_values_say():
    drawn = lines({"a": [(90.0, 40.0), (50.0, 20.0)], "b": [(70.0, 30.0)]}, "x", "y", ("dense", 20))
    path, _ = re.findall(r'<path d="M([\d. L]+)" fill="none"', drawn)
    (x0, y0), (x1, y1) = ([float(v) for v in part.split()] for part in path.split("L"))
    titles = re.findall(r"<title>(.*?)</title>", drawn)
    assert titles[:3] == ["a: 50 x, 20 y", "a: 90 x, 40 y", "b: 70 x, 30 y"]
    assert titles[3:] == ["a", "b"]  # of the legend
    level = float(re.search(r'class="mark"[^>]*y1="([\d.]+)"', drawn).group(1))
    middle = re.search(r'<path d="M([\d.]+) ([\d.]+)h', drawn)
    assert x0 < x1 and y0 > y1 and y0 == level
    assert float(middle.group(1)) + 3.6 == pytest.approx((x0 + x1) / 2, abs=0.11)
    assert float(middle.group(2)) + 3.6 == pytest.approx((y0 + y1) / 2, abs=0.11)


def test_a_frame_maps_its_corners():
    frame = Frame(10, 110, 20, 70, (0, 4), (100, 200))
    assert frame.at(0, 100) == (10, 70) and frame.at(4, 200) == (110, 20)
    assert frame.at(1, 150) == (35, 45)


def test_bars_are_in_proportion():
    drawn = bars([("a", 1, "one"), ("b", 2, "two"), ("c", 4, "four")], "unit", ("paper", 2))
    widths = [float(w) for w in re.findall(r'<rect [^>]*width="([\d.]+)"', drawn)]
    np.testing.assert_allclose(np.array(widths) / widths[2], [0.25, 0.5, 1.0], atol=1e-3)
    at = [float(x) for x in re.findall(r'<rect x="([\d.]+)"', drawn)]
    mark = float(re.search(r'class="mark" x1="([\d.]+)"', drawn).group(1))
    assert mark == pytest.approx(at[1] + widths[1], abs=0.11) and len(set(at)) == 1
    assert bars([("a", 0, "none")], "u").count("<rect") == 1


def test_shares_fill_the_row():
    drawn = shares({"one": {"p": 3, "q": 1, "r": 0}, "two": {"p": 0, "q": 5, "r": 0}}, "what")
    widths = np.array([float(w) for w in re.findall(r'height="22" fill|width="([\d.]+)" height="22',
                                                    drawn) if w])
    assert len(widths) == 4 and widths[0] == pytest.approx(3 * widths[1], abs=0.05)
    assert widths[2] == 0 and widths[3] == pytest.approx(widths[0] + widths[1], abs=0.05)
    assert "<title>one, p: 75.00 %</title>" in drawn and "r</span>" not in drawn


def test_dots_begin_at_the_mean():
    drawn = dots({"before": [90, 110, 100], "after": [100, 100, 100]}, "lane", "entries")
    assert drawn.count("lane ") == 6 and "<title>before, lane 1: 110</title>" in drawn
    stalks = [[float(v) for v in pair] for pair in re.findall(r"M[\d.]+ ([\d.]+)V([\d.]+)", drawn)]
    (low, mid, same), after = stalks[:3], stalks[3:]
    assert low[1] > low[0] > mid[1] and same[0] == same[1]
    assert low[1] - low[0] == pytest.approx(mid[0] - mid[1], abs=0.11)
    assert all(a == b for a, b in after) and len(after) == 3


def test_equal_loads_are_one_level():
    assert dots({"a": [7, 7]}, "lane", "entries").count("<title>") == 2


def test_panels_share_a_scale():
    drawn = panels({"Wix": [(50, 38.0), (90, 39.0)], "Wym": [(50, 40.0), (90, 60.0)]}, "x", "PER",
                   ("dense: 38.00", 38.0))
    scales = [re.findall(r'text-anchor="end" class="axis">([\d.]+)<', part)
              for part in drawn.split("</figure>")[:2]]
    assert scales[0] == scales[1] and len(scales[0]) > 2
    assert "dashed: dense: 38.00" in drawn


def test_names_are_escaped_and_told_apart():
    found = legend([f"<{k}>" for k in range(8)])
    assert "<0>" not in found and found.count("</span>") == 8
    assert found.count("stroke-dasharray") == 2 and not legend(["one"])
