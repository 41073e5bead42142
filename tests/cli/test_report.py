"""The HTML report: its numbers are the image's, and nothing is loaded from elsewhere."""

import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from ese_lstm.cli.html import bars, page, table
from ese_lstm.cli.main import main
from ese_lstm.contract.image import read_image
from ese_lstm.sim.golden.cycles import simulate_model
from ese_lstm.sim.golden.decode import decode_image


def run(command, *arguments, code=0):
    result = CliRunner().invoke(command, [str(a) for a in arguments])
    assert result.exit_code == code, result.output
    return result


class Balanced(HTMLParser):
    """Every tag that opens closes, in order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.seen = [], []
        self.feed(text)
        assert self.open == [] and len(self.seen) > 20

    def handle_starttag(self, tag, attrs):
        if tag not in ("meta",):
            self.open.append(tag)
        self.seen.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(3)
    torch.save(torch.nn.LSTM(5, 8, proj_size=3).state_dict(), "a<b>.pt")
    options = ["a<b>.pt", "--config", "tiny", "--density", "0.3"]
    run(main, "compress", *options, "--share-bits", "3", "--huffman", "-o", "my.ese",
        "--report", "my.json")
    run(main, "compress", *options, "--balance", "none", "-o", "plain.ese")
    return tmp_path


def test_page(folder):
    said = run(main, "report", "my.ese", "--figures", "my.json", "--compare", "plain.ese",
               "-o", "out")
    assert said.stdout == "out/index.html\n"
    text = (folder / "out/index.html").read_text()
    Balanced(text)
    assert "a&lt;b&gt;.pt" in text and "a<b>" not in text
    assert not re.search(r"(src|href)=|https?://|@import|<script", text)
    image, plain = read_image(folder / "my.ese"), read_image(folder / "plain.ese")
    values = json.loads((folder / "my.json").read_text())
    compared = 0
    for one in (image, plain):
        cycles = simulate_model(decode_image(one))
        assert f"<td>{cycles.cycles_per_frame:,}</td>" in text
        for lane, length in enumerate(one.sections["lane_lengths"]):
            assert f"<title>{lane}: {int(length):,}</title>" in text
            compared += 1
    for m in values["matrices"]:
        assert f"<tr><td>{m['name']}</td><td>{m['rows']:,}</td>" in text
        compared += 1
    for stage in values["stages"]:
        assert f"<tr><td>{stage['name']}</td><td>{stage['bits']:,}</td>" in text
        compared += 1
    assert compared == 2 * image.config.lanes + 9 + 6
    assert image.manifest.source_sha256 in text and "20 times" in text


def test_without_figures(folder):
    run(main, "report", "plain.ese", "-o", "out")
    text = (folder / "out/index.html").read_text()
    Balanced(text)
    assert "SQNR" not in text and "Bits per weight by stage" in text


def test_refused(folder):
    (folder / "bad.json").write_text("[1]")
    for arguments, message in (
            (["my.ese", "--figures", "bad.json"], "must be what `ese compress --report` writes"),
            (["my.ese", "--figures", "none.json"], "must be what `ese compress --report` writes"),
            (["plain.ese", "--figures", "my.json"], "must be those of this image"),
            (["none.ese"], "image: must be a file")):
        result = run(main, "report", *arguments, "-o", "out", code=2)
        assert message in result.stderr and not (folder / "out").exists()


def test_bars_are_in_proportion():
    heights = [float(h) for h in re.findall(r'<rect [^>]*height="([\d.]+)"',
                                            bars(["a", "b", "c"], [1, 2, 4], "u", "x"))]
    np.testing.assert_allclose(np.array(heights) / heights[2], [0.25, 0.5, 1.0], atol=1e-3)
    assert bars(["a"], [0], "u", "x").count("<rect") == 1


def test_text_is_escaped():
    text = page("<t>", [table(["<h>"], [["<v>"]])])
    assert "<t>" not in text and "<h>" not in text and "<v>" not in text
