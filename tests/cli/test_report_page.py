"""The report in headless Chromium: nothing overflows or overlaps, in light, dark and on paper.

Skipped where no Chromium is installed (``CHROMIUM`` names another program). With ``ESE_SHOTS`` set
to a folder the screenshots stay there, to be looked at: ``make report-check``.
"""

import html
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from safetensors.numpy import save_file

from ese_lstm.cli.main import main
from ese_lstm.compress.synthetic import LayerShape, random_frames, random_network

CHROMIUM = shutil.which(os.environ.get("CHROMIUM", "chromium")) or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium (apt install chromium)")

MATRICES = [f"W{gate}{kind}" for kind in "xr" for gate in "ifco"] + ["Wym"]
MEASURE = """
const frame = document.querySelector('iframe');
frame.onload = () => {
  const page = frame.contentDocument, said = {width: page.documentElement.scrollWidth, cut: [],
    over: [], texts: 0, drawings: 0, paper: frame.contentWindow.getComputedStyle(page.body)
    .backgroundColor};
  for (const svg of page.querySelectorAll('svg')) {
    const box = svg.getBoundingClientRect(); said.drawings += box.width > 0 && box.height > 0;
    const texts = [...svg.querySelectorAll('text')].map(t => [t.textContent,
      t.getBoundingClientRect()]);
    said.texts += texts.length;
    texts.forEach(([name, a], k) => {
      if (a.left < box.left - 1 || a.right > box.right + 12 || a.top < box.top - 2 ||
          a.bottom > box.bottom + 3) said.cut.push(name);
      for (const [other, b] of texts.slice(k + 1))
        if (Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 &&
            Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 4)
          said.over.push([name, other]);
    });
  }
  document.title = JSON.stringify(said);
};
frame.srcdoc = document.querySelector('template').dataset.page;
"""


def chromium(*arguments: str) -> str:
    done = subprocess.run(
        [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
         "--virtual-time-budget=4000", *arguments], capture_output=True, text=True, timeout=300,
        check=True)
    return done.stdout


def measured(page: Path, folder: Path, width: int, *flags: str) -> dict:
    """What a browser window of this width makes of the page."""
    wrapper = folder / f"measure{width}.html"
    wrapper.write_text(
        f'<html><body style="margin:0"><template data-page="{html.escape(page.read_text())}">'
        f'</template><iframe style="border:0;width:{width}px;height:900px"></iframe>'
        f"<script>{MEASURE}</script></body></html>")
    dom = chromium("--dump-dom", *flags, wrapper.as_uri())
    return json.loads(html.unescape(re.search(r"<title>(\{.*?\})</title>", dom).group(1)))


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with every section."""
    folder = tmp_path_factory.mktemp("page")
    rng = np.random.default_rng(0)
    layer = random_network(rng, 20, [LayerShape(cells=64, projection=32)]).layers[0]
    save_file({"weight_ih_l0": layer.w_x, "weight_hh_l0": layer.w_y, "bias_ih_l0": layer.bias,
               "bias_hh_l0": 0 * layer.bias, "weight_hr_l0": layer.w_m},
              folder / "model.safetensors")
    np.save(folder / "frames.npy", random_frames(rng, 40, 20))
    points = [{"name": "dense", "density": 1.0, "per": 36.5, "cycles": 90_000}]
    points += [{"name": name, "retrained": retrained, "density": d, "per": 36.5 + cost / d,
                "cycles": round(90_000 * d * slow)}
               for name, slow in (("balanced", 1.0), ("plain", 1.13))
               for retrained, cost in ((True, 0.04), (False, 2.0))
               for d in (0.5, 0.3, 0.2, 0.15, 0.112, 0.08)]
    points += [{"matrix": name, "density": d, "fer": 30.0, "per": 36.5 + k / 10 / d}
               for k, name in enumerate(MATRICES) for d in (0.3, 0.2, 0.1)]
    (folder / "points.jsonl").write_text("".join(json.dumps(p) + "\n" for p in points))
    model = ["compress", folder / "model.safetensors", "--density", "0.2", "--lanes", "32",
             "--channels", "4"]
    for words in ([*model, "--share-bits", "4", "--huffman", "-o", folder / "my.ese",
                   "--report", folder / "my.json", "--frames", folder / "frames.npy"],
                  [*model, "--balance", "none", "-o", folder / "plain.ese"],
                  ["report", folder / "my.ese", "--figures", folder / "my.json", "--compare",
                   folder / "plain.ese", "--curve", folder / "points.jsonl", "--frames",
                   folder / "frames.npy", "-o", folder / "report"]):
        done = CliRunner().invoke(main, [str(word) for word in words])
        assert done.exit_code == 0, done.output
    return folder / "report/index.html"


@pytest.mark.parametrize("width, flags, paper", [
    (1000, (), "rgb(255, 255, 255)"),
    (390, ("--blink-settings=preferredColorScheme=0",), "rgb(20, 23, 26)")])
def test_nothing_overflows_or_overlaps(page: Path, tmp_path: Path, width: int,
                                       flags: tuple[str, ...], paper: str) -> None:
    found = measured(page, tmp_path, width, *flags)
    assert found["width"] <= width and found["paper"] == paper
    assert found["cut"] == [] and found["over"] == []
    assert found["drawings"] > 15 and found["texts"] > 150


def test_screenshots_and_paper(page: Path, tmp_path: Path) -> None:
    """Both have something on them; kept if wanted."""
    shots = Path(os.environ.get("ESE_SHOTS", tmp_path)).absolute()
    shots.mkdir(parents=True, exist_ok=True)
    for name, width, flags in (("light", 1000, ()), ("narrow", 500, ()), (
            "dark", 1000, ("--blink-settings=preferredColorScheme=0",))):
        chromium(f"--window-size={width},6500", f"--screenshot={shots / f'{name}.png'}", *flags,
                 page.as_uri())
        assert (shots / f"{name}.png").stat().st_size > 50_000
    chromium(f"--print-to-pdf={shots / 'report.pdf'}", page.as_uri())
    paper = (shots / "report.pdf").read_bytes()
    assert paper.startswith(b"%PDF") and 3 <= len(re.findall(rb"/Type\s*/Page\b", paper)) <= 12
