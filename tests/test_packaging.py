"""Both ways of installing give the tree of ``src/``, and the links at the top only lead into it."""

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import ese_lstm

ROOT = Path(__file__).parent.parent
SOURCES = ROOT / "src"
LINKS = ("boards", "compress", "hw", "sim")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
needs_a_clone = pytest.mark.skipif(not (ROOT / ".git").exists(), reason="no clone: no .git")


def test_the_installed_package_is_this_tree() -> None:
    assert Path(ese_lstm.__file__).parent == SOURCES / "ese_lstm"


@needs_a_clone
def test_links_at_the_top_are_relative() -> None:
    for name in LINKS:
        assert (ROOT / name).readlink() == Path("src/ese_lstm") / name
    assert not [path for path in ROOT.glob("*/__init__.py") if path.parent.name not in LINKS]


@needs_a_clone
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
    extras = PROJECT["optional-dependencies"]
    asked = [*PROJECT["dependencies"],
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


def test_one_version() -> None:
    cited = re.search(r"^version: (.*)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)
    assert cited and cited[1] == PROJECT["version"] == ese_lstm.__version__


def test_no_extra_replaces_what_a_user_has() -> None:
    """Ranges alone, without an upper end but for what changes between minor versions."""
    extras = PROJECT["optional-dependencies"]
    asked = [*PROJECT["dependencies"], *(line for name in extras for line in extras[name])]
    assert len(asked) > 30 and not [line for line in asked if ">=" not in line or "==" in line]
    limited = {re.split(r"[^\w-]", line)[0] for line in asked if "<" in line}
    assert limited == {"amaranth", "cocotb"}


def test_workflows_run_targets_of_the_makefile() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    run = {target for path in (*WORKFLOWS, ROOT / ".ci/run") for target in
           re.findall(r"(?:^|run: )make ([\w-]+)", path.read_text(), re.MULTILINE)}
    assert run == {"test", "test-lowest", "docs", "dist-check", "fuzz"}
    assert run <= targets


def test_the_makefile_names_tests_that_exist() -> None:
    named = re.findall(r"\btests/[\w./-]*", (ROOT / "Makefile").read_text())
    assert len(named) > 10
    assert not [name for name in named if not (ROOT / name).exists()]


def test_workflows_test_every_python_that_is_promised() -> None:
    promised = {match[1] for line in PROJECT["classifiers"]
                if (match := re.fullmatch(r".*Python :: (3\.\d+)", line))}
    tested = set(re.findall(r'python: "(.*?)", run: .ci/run}',
                            (ROOT / ".github/workflows/test.yml").read_text()))
    assert promised == tested and len(tested) > 2


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_may_little_and_use_stated_versions(path: Path) -> None:
    text = path.read_text()
    assert re.findall(r"^permissions:\n((?:  .*\n)*)", text, re.MULTILINE) == ["  contents: read\n"]
    assert text.count("permissions:") == 1
    used = re.findall(r"uses: (.*)", text)
    assert used and all(re.fullmatch(r"[\w/-]+@v\d+\.\d+\.\d+", name) for name in used)


def released(version: str) -> tuple[str, ...]:
    """Without the trailing zeros and the builds that a range need not say."""
    parts = version.partition(".post")[0].split(".")
    while parts[-1] == "0":
        parts.pop()
    return tuple(parts)
