"""The package list matches the folders, and both ways of installing give every package."""

import subprocess
import sys
import tomllib
import zipfile
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SETUPTOOLS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
PACKAGES = SETUPTOOLS["packages"]


def folders() -> dict[str, str]:
    """Package name → folder, for every folder of Python files that belongs to the product."""
    found = {}
    for init in ROOT.rglob("__init__.py"):
        parts = init.parent.relative_to(ROOT).parts
        if parts[0] in ("build", "tests") or parts[0].startswith("."):
            continue
        inner = () if parts == ("package",) else parts
        found[".".join(("ese_lstm", *inner))] = "/".join(parts)
    return found


def test_every_folder_is_a_listed_package() -> None:
    assert len(PACKAGES) > 8
    assert SETUPTOOLS["package-dir"] == folders()
    assert sorted(PACKAGES) == sorted(folders())


@pytest.mark.parametrize("package", PACKAGES)
def test_the_installed_package_is_this_tree(package: str) -> None:
    file = import_module(package).__file__
    assert file and Path(file).parent == ROOT / folders()[package]


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
    subprocess.run([sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps",
                    "--no-build-isolation", "--wheel-dir", str(tmp_path), str(source)], check=True)
    wheel, = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if name.endswith(".py")}
        archive.extractall(tmp_path / "installed")
    expected = {f"{package.replace('.', '/')}/{path.name}"
                for package, folder in folders().items() for path in (source / folder).glob("*.py")}
    assert len(expected) > 30
    assert held == expected
    script = ("import sys; sys.path.insert(0, sys.argv[1]); import ese_lstm.contract.config as c; "
              "assert c.__file__.startswith(sys.argv[1]), c.__file__")
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "installed")], check=True,
                   cwd=tmp_path)


def test_verilog_can_be_written_without_torch() -> None:
    script = ("import sys; sys.modules['torch'] = None; import ese_lstm.hw.export, "
              "ese_lstm.cli.main, ese_lstm.sim.golden.model")
    subprocess.run([sys.executable, "-c", script], check=True, cwd=ROOT)
