"""What ``make dist`` and ``make dist-check`` ask of the files in a folder: the right contents, and
a wheel that works in an empty environment and an empty folder.

    python tests/dist.py contents dist
    python tests/dist.py run dist constraints.txt
"""

import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ROOT_FILES = ("CHANGELOG.md", "CITATION.cff", "LICENSE", "Makefile", "NOTICE", "README.md",
              "constraints.txt", "pyproject.toml")
MAKE_CHECKPOINT = """\
import ese_lstm, numpy, sys, torch
assert ese_lstm.__file__.startswith(sys.prefix), ese_lstm.__file__
lstm = torch.nn.LSTM(5, 8, proj_size=4)
torch.save(lstm.state_dict(), "my.pt")
numpy.save("speech.npy", numpy.random.default_rng(1).normal(size=(6, 5)))
"""


def check_contents(folder: Path) -> None:
    """Wheel: the package alone, with its licence. Source archive: what it is made from and its
    tests; not the links at the top, so the tests that need a clone are skipped there. Neither has
    what running leaves behind."""
    wheel, = folder.glob("*.whl")
    archive, = folder.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as file:
        held = set(file.namelist())
    with tarfile.open(archive) as source:
        found = {name.partition("/")[2] for name in source.getnames()}
    modules = {path.relative_to(ROOT / "src").as_posix() for path in (ROOT / "src").rglob("*.py")}
    info = f"{'-'.join(wheel.name.split('-')[:2])}.dist-info"
    wrong = [name for name in held if not name.startswith(("ese_lstm/", f"{info}/"))]
    wrong += [name for name in held | found if "__pycache__" in name or "_cache/" in name
              or name.startswith(("build/", ".venv", "hw/", "sim/"))]
    missing = {f"{info}/licenses/LICENSE", f"{info}/licenses/NOTICE", "ese_lstm/py.typed",
               *modules} - held
    missing |= {*ROOT_FILES, *(f"src/{name}" for name in modules), "tests/conftest.py",
                "docs/architecture.md", "examples/density.ipynb", ".github/workflows/test.yml",
                } - found
    if wrong or missing:
        sys.exit(f"dist: holds {sorted(wrong)}, and lacks {sorted(missing)}")
    print(f"{wheel.name}: {len(held)} files; {archive.name}: {len(found)} files")


def check_wheel(folder: Path, constraints: Path) -> None:
    """Install the wheel, first alone, then with ``compress`` and ``sim``, and use it."""
    wheel, = folder.resolve().glob("*.whl")
    with tempfile.TemporaryDirectory() as temporary:
        home = Path(temporary)
        work = home / "work"
        work.mkdir()

        def run(*words: str, expected: int = 0) -> str:
            print("$", *words, flush=True)
            done = subprocess.run([home / "env" / "bin" / words[0], *words[1:]], cwd=work,
                                  check=False, capture_output=True, text=True)
            if done.returncode != expected:
                sys.exit(f"exit code {done.returncode}\n{done.stdout}{done.stderr}")
            return done.stdout + done.stderr

        def install(extras: str) -> None:
            run("python", "-m", "pip", "install", "--quiet", "-c", str(constraints.resolve()),
                f"{wheel}{extras}")

        subprocess.run([sys.executable, "-m", "venv", home / "env"], check=True)
        install("")
        run("ese", "verilog", "--config", "tiny", "-o", "verilog")
        (work / "my.pt").touch()
        told = run("ese", "compress", "my.pt", "-o", "my.ese", expected=2)
        if "compress]" not in told:
            sys.exit(f"ese compress must say which extra it needs, but says: {told}")
        install("[compress,sim]")
        run("python", "-c", MAKE_CHECKPOINT)
        run("ese", "compress", "my.pt", "--config", "tiny", "--density", "0.5", "-o", "my.ese")
        run("ese", "simulate", "my.ese", "speech.npy", "-o", "golden.npy")
        told = run("ese", "simulate", "my.ese", "speech.npy", "--backend", "rtl", "-o", "rtl.npy")
        same = ("golden.npy", "rtl.npy")
        if len({(work / name).read_bytes() for name in same}) != 1 or "mismatches" not in told:
            sys.exit(f"the exported Verilog must give what the golden model gives: {told}")
        made = sorted(path.name for path in work.iterdir())
        if made != ["golden.npy", "my.ese", "my.pt", "rtl.npy", "speech.npy", "verilog"]:
            sys.exit(f"the commands must leave what was asked for alone, but left {made}")
    print(f"{wheel.name}: works")


if __name__ == "__main__":
    if sys.argv[1] == "contents":
        check_contents(Path(sys.argv[2]))
    else:
        check_wheel(Path(sys.argv[2]), Path(sys.argv[3]))
