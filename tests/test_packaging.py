"""Both ways of installing give the tree of ``src/``, and the links at the top only lead into it."""

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import ese_lstm

ROOT = Path(__file__).parent.parent
SOURCES = ROOT / "src"
LINKS = ("boards", "compress", "hw", "sim")


def test_the_installed_package_is_this_tree() -> None:
    assert Path(ese_lstm.__file__).parent == SOURCES / "ese_lstm"


def test_links_at_the_top_are_relative() -> None:
    for name in LINKS:
        assert (ROOT / name).readlink() == Path("src/ese_lstm") / name
    assert not [path for path in ROOT.glob("*/__init__.py") if path.parent.name not in LINKS]


def test_the_wheel_holds_every_module(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    tracked = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    for name in filter(None, tracked):
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    expected = {path.relative_to(source / "src").as_posix()
                for path in (source / "src").rglob("*") if path.is_file()}
    subprocess.run([sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps",
                    "--no-build-isolation", "--wheel-dir", str(tmp_path), str(source)], check=True)
    wheel, = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
        archive.extractall(tmp_path / "installed")
    assert len(expected) > 30
    assert held == expected
    script = ("import sys; sys.path.insert(0, sys.argv[1]); import ese_lstm.contract.config as c; "
              "assert c.__file__.startswith(sys.argv[1]), c.__file__")
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "installed")], check=True,
                   cwd=tmp_path)


def test_verilog_can_be_written_without_torch() -> None:
    script = ("import sys; sys.modules['torch'] = None; import ese_lstm.hw.verilog.export, "
              "ese_lstm.cli.main, ese_lstm.sim.golden.model")
    subprocess.run([sys.executable, "-c", script], check=True, cwd=ROOT)


def test_the_lowest_versions_are_those_that_are_tested() -> None:
    """Of all extras but those that make pages and archives; torch is pinned with a reason."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    asked = [*project["dependencies"],
             *(line for name in extras if name not in ("docs", "dist") for line in extras[name])]
    lowest = {match[1]: match[2] for line in asked
              if (match := re.match(r"([\w-]+)(?:\[[\w-]+\])?>=([\w.]+)", line))}
    assert len(lowest) > 20
    pinned = dict(line.split("==") for line in
                  (ROOT / "constraints-lowest.txt").read_text().splitlines() if "==" in line)
    assert pinned.pop("torch") and lowest.pop("torch")
    assert {name: released(version) for name, version in pinned.items()} == {
        name: released(version) for name, version in lowest.items()}


def test_what_make_installs_is_allowed() -> None:
    pinned = (ROOT / "constraints.txt").read_text()
    assert re.search(r"^torch==\d+\.\d+\.\d+$", pinned, re.MULTILINE), "a range may pull CUDA"


def released(version: str) -> tuple[str, ...]:
    """Without the trailing zeros and the builds that a range need not say."""
    parts = version.partition(".post")[0].split(".")
    while parts[-1] == "0":
        parts.pop()
    return tuple(parts)
