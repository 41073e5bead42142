"""A failure under a fresh seed is named with the seed and the command that repeats it."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
TESTS = '''
from hypothesis import given, strategies as st

def test_random(seed):
    assert {fails}

@given(st.integers())
def test_drawn(number):
    assert True

def test_not_random():
    raise AssertionError("must not be selected")
'''


def run(file: Path, seconds: int) -> subprocess.CompletedProcess[str]:
    # The temporary file is outside of tests/, whose conftest it needs.
    return subprocess.run(
        [sys.executable, str(HERE / "fuzz.py"), str(seconds), str(file), "-p", "conftest"],
        env=os.environ | {"PYTHONPATH": f"{HERE}:{os.environ.get('PYTHONPATH', '')}"},
        capture_output=True, text=True, timeout=300)


def fuzz(tmp_path: Path, fails: str, seconds: int) -> subprocess.CompletedProcess[str]:
    file = tmp_path / "test_example.py"
    file.write_text(TESTS.format(fails=fails))
    return run(file, seconds)


def test_random_tests_pass_until_the_time_is_over(tmp_path: Path) -> None:
    done = fuzz(tmp_path, "seed >= 0", 6)
    assert done.returncode == 0, done.stdout + done.stderr
    count, = map(int, re.findall(r"^(\d+) passed, 0 failed$", done.stdout, re.M))
    seeds = re.findall(r"^seed: ESE_SEED=(\d+)$", done.stdout, re.M)
    assert count >= 2 and len(set(seeds)) == len(seeds) >= 2


def test_the_end_of_the_time_is_no_failure(tmp_path: Path) -> None:
    """Tests that were left to run made it one."""
    slow = "".join(f"\ndef test_{k}(seed):\n    time.sleep(2)\n" for k in range(20))
    file = tmp_path / "test_slow.py"
    file.write_text(f"import time\n{slow}")
    done = run(file, 3)
    assert done.returncode == 0, done.stdout + done.stderr
    count, = map(int, re.findall(r"^(\d+) passed, 0 failed$", done.stdout, re.M))
    assert 2 <= count < 40


def test_a_failure_names_seed_and_command(tmp_path: Path) -> None:
    done = fuzz(tmp_path, "seed % 2 < 0", 60)
    assert done.returncode == 1, done.stdout + done.stderr
    seed, = set(re.findall(r"failed with the seed (\d+); again:", done.stdout)[:1])
    command = re.findall(rf"^  ESE_SEED={seed} (.*)$", done.stdout, re.M)[0]
    assert "test_random" in command
    again = subprocess.run([*shlex.split(command), "-p", "conftest"], capture_output=True,
                           text=True, cwd=HERE.parent,
                           env=os.environ | {"ESE_SEED": seed, "PYTHONPATH": str(HERE)})
    assert again.returncode == 1 and "assert" in again.stdout, again.stdout + again.stderr


def test_no_random_test_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "test_nothing.py"
    file.write_text("def test_not_random():\n    pass\n")
    assert run(file, 5).returncode == 2
