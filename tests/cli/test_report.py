"""The HTML report: its numbers are the image's, and nothing is loaded from elsewhere."""

import hashlib
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from ese_lstm.cli.main import main
from ese_lstm.cli.report import _figures
from ese_lstm.cli.show import step
from ese_lstm.compress.report import CHECKSUM, figures_checksum
from ese_lstm.contract.errors import EseError
from ese_lstm.contract.image import read_image
from ese_lstm.report.html import page, pairs, table
from ese_lstm.sim.golden.cycles import simulate_model
from ese_lstm.sim.golden.decode import decode_image
from ese_lstm.sim.golden.noise import measure_noise


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
        assert all(value is not None for _, value in attrs)
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
    np.save("f.npy", np.random.default_rng(1).normal(size=(20, 5)))
    run(main, "compress", *options, "--share-bits", "3", "--huffman", "-o", "my.ese",
        "--report", "my.json", "--frames", "f.npy")
    run(main, "compress", *options, "--balance", "none", "-o", "plain.ese")
    return tmp_path


def test_page(folder):
    curve = [{"name": "dense", "density": 1.0, "per": 38.25, "cycles": 9000}]
    curve += [{"name": name, "density": d, "per": 39 + d, "cycles": round(9000 * d)}
              for name in ("balanced", "plain") for d in (0.5, 0.1)]
    (folder / "c.jsonl").write_text("".join(json.dumps(line) + "\n" for line in curve))
    (folder / "s.jsonl").write_text(json.dumps(
        {"matrix": "Wix", "density": 0.3, "fer": 30.0, "per": 41.75}))
    said = run(main, "report", "my.ese", "--figures", "my.json", "--compare", "plain.ese",
               "--curve", "c.jsonl", "--curve", "s.jsonl", "--frames", "f.npy", "-o", "out")
    assert said.stdout == "out/index.html\n"
    text = (folder / "out/index.html").read_text()
    Balanced(text)
    assert "a&lt;b&gt;.pt" in text and "a<b>" not in text
    assert not re.search(r"(src|href)=|https?://|@import|<script|url\(", text)
    assert "prefers-color-scheme: dark" in text and "@media print" in text
    image, plain = read_image(folder / "my.ese"), read_image(folder / "plain.ese")
    values = json.loads((folder / "my.json").read_text())
    compared = 0
    for name, one in (("my.ese", image), ("plain.ese", plain)):
        cycles = simulate_model(decode_image(one))
        assert f"<td>{cycles.cycles_per_frame:,}</td>" in text
        for lane, length in enumerate(one.sections["lane_lengths"]):
            assert f"<title>{name}, lane {lane}: {int(length):,}</title>" in text
            compared += 1
    for m in values["matrices"]:
        assert f"<tr><td>{m['name']}</td><td>{m['rows']:,}</td>" in text
        compared += 1
    for stage in values["stages"]:
        assert f"<tr><td>{stage['name']}</td><td>{stage['bits']:,}</td>" in text
        compared += 1
    for point in curve[1:]:
        assert f"<title>{point['name']}: {100 - 100 * point['density']:g} weights" in text
        assert f"<td>{point['per']:.2f}</td>" in text
        compared += 1
    assert compared == 2 * image.config.lanes + 9 + 6 + 4
    assert "38.25" in text and "<td>41.75</td>" in text and "Speed-up over the dense" in text
    assert image.manifest.source_sha256 in text and "20 times" in text
    for name in ("my.ese", "plain.ese", "my.json", "c.jsonl", "s.jsonl", "f.npy"):
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() in text
    assert "ese report my.ese --figures my.json --compare plain.ese --curve c.jsonl" in text
    size = (folder / "my.ese").stat().st_size
    assert f"is {size:,} bytes" in text


def test_tensors(folder):
    """SQNR and saturations of the page are those of the golden model's measurement."""
    run(main, "report", "my.ese", "--frames", "f.npy", "-o", "out")
    text = (folder / "out/index.html").read_text()
    found = measure_noise(read_image(folder / "my.ese"), [np.load(folder / "f.npy")])
    for t in found:
        assert re.search(rf"<tr><td>l0 {re.escape(t.name.replace('tanh_c', 'tanh(c)'))}[^<]*</td>"
                         rf"<td>{t.bits} bits, 2⁻[^<]*</td><td>{t.values:,}</td>"
                         rf"<td>{t.largest:.3f}</td><td>{t.sqnr_db:.1f}</td>"
                         rf"<td>{t.saturated}</td>", text), t
    assert len(found) == 9


def test_fillers_and_formats_by_matrix(folder):
    run(main, "compress", "a<b>.pt", "--config", "tiny", "--density", "0.05", "--index-mode",
        "relative4", "-o", "r.ese", "--set", "acc_rows=64", "--lanes", "1")
    run(main, "report", "r.ese", "-o", "out")
    text = (folder / "out/index.html").read_text()
    image = read_image(folder / "r.ese")
    rows = re.findall(r"<tr><td>(l0\.W\w+)</td>(.*?)</tr>", text)
    assert [name for name, _ in rows] == [m.name for m in image.manifest.matrices]
    cells = [re.findall(r"<td>(.*?)</td>", row) for _, row in rows]
    assert sum(int(row[6]) for row in cells) == image.manifest.filler_entries > 0
    layer = image.manifest.layers[0]
    steps = [row[5] for row in cells]
    assert steps[0] == f"12 bits, {step(layer.gate_weight_frac[0])}"
    assert steps[7] == f"12 bits, {step(layer.gate_weight_frac[1])}"
    assert steps[8] == f"12 bits, {step(layer.projection_weight_frac)}"
    assert step(12) == "2⁻¹²" and step(-3) == "2³"


def test_streamed_weights(folder):
    """Loads and cycles are those of all entries, wherever they are stored."""
    run(main, "compress", "a<b>.pt", "--config", "tiny", "--set", "fetch_depth=64", "--resident",
        "none", "-o", "s.ese")
    run(main, "report", "s.ese", "--compare", "plain.ese", "-o", "out")
    text = (folder / "out/index.html").read_text()
    image = read_image(folder / "s.ese")
    loads = [int(n) for n in re.findall(r"<title>s.ese, lane \d+: (\d+)</title>", text)]
    assert len(image.sections["entries"]) < sum(loads) == (
        image.manifest.entries + image.manifest.null_entries) and len(loads) == 2
    assert "Streamed weights are taken to be there in time" in text


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
            (["my.ese", "--curve", "my.json"], "must hold lines of"),
            (["my.ese", "--frames", "none.npy"], "frames: must be a .npy file"),
            (["none.ese"], "image: must be a file")):
        result = run(main, "report", *arguments, "-o", "out", code=2)
        assert message in result.stderr and not (folder / "out").exists()


def test_figures_are_not_believed(folder, seed):
    """A changed digit once stood on the page."""
    path, image = folder / "my.ese", read_image(folder / "my.ese")
    data = (folder / "my.json").read_bytes()
    want, damaged = _figures(folder / "my.json", path, image), folder / "damaged.json"
    refused = 0
    for bit in np.random.default_rng(seed).choice(8 * len(data), 400, replace=False).tolist():
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        damaged.write_bytes(changed)
        try:
            assert _figures(damaged, path, image) == want
        except EseError:
            refused += 1
    assert refused > 300


def test_figures_of_before_and_of_another_image(folder):
    values = json.loads((folder / "my.json").read_text())
    path, image = folder / "my.ese", read_image(folder / "my.ese")
    old = {key: value for key, value in values.items() if not key.endswith("_sha256")}
    (folder / "old.json").write_text(json.dumps(old))
    _figures(folder / "old.json", path, image)
    other = {**old, "image_sha256": "0" * 64}
    (folder / "other.json").write_text(json.dumps(other))
    with pytest.raises(EseError, match="must match its SHA-256, but the file is corrupted"):
        _figures(folder / "other.json", path, image)
    (folder / "other.json").write_text(json.dumps(other | {CHECKSUM: figures_checksum(other)}))
    with pytest.raises(EseError, match="must be those of this image, but .* has another SHA-256"):
        _figures(folder / "other.json", path, image)
    for change in ({"stages": [{"name": "dense"}]}, {"layers": [1]}, {"calibrated": "yes"},
                   {"matrices": [{**m, "sqnr_db": "high"} for m in old["matrices"]]},
                   {"lane_lengths": 3}, {"matrices": {}}):
        (folder / "other.json").write_text(json.dumps({**old, **change}))
        with pytest.raises(EseError, match="must be (what|those)"):
            _figures(folder / "other.json", path, image)


def test_text_is_escaped():
    text = page("<t>", "<u>", [table(["<h>"], [["<v>"]]), pairs({"<n>": "<w>"})])
    assert not re.search("<[tuhvnw]>", text) and text.count("&lt;") == 7
