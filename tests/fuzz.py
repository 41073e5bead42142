"""The random tests over and over, each round with a fresh seed, for as long as told.

``python tests/fuzz.py SECONDS [pytest arguments]``: two processes draw seeds of their own. The
first failure ends both and is printed with its seed and the command that repeats it. Exit code 1
then, 2 if no test was run.
"""

import os
import random
import re
import subprocess
import sys
import time
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from pathlib import Path

ROOT = Path(__file__).parent.parent
WORKERS = 2
NO_TESTS = 5
"""Pytest's exit code when it ran none."""


def rounds(end: float, arguments: list[str], stop: list[bool]) -> tuple[int, int, str]:
    """Rounds until ``end``, or until one fails: tests passed, its seed, its output; "" if none."""
    passed = 0
    while time.monotonic() < end and not stop:
        seed = random.SystemRandom().getrandbits(31)
        print(f"seed: ESE_SEED={seed}", flush=True)
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-n0",
             f"--fuzz={max(end - time.monotonic(), 1):.0f}", *arguments],
            cwd=ROOT, env=os.environ | {"ESE_SEED": str(seed)}, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        passed += sum(int(count) for count in re.findall(r"(\d+) passed", done.stdout))
        if done.returncode not in (0, NO_TESTS):
            stop.append(True)
            return passed, seed, done.stdout
        if done.returncode == NO_TESTS:
            break
    return passed, 0, ""


def main() -> int:
    seconds, arguments = float(sys.argv[1]), sys.argv[2:]
    end = time.monotonic() + seconds
    stop: list[bool] = []
    with ThreadPoolExecutor(WORKERS) as pool:
        running = {pool.submit(rounds, end, arguments, stop) for _ in range(WORKERS)}
        passed = 0
        while running:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                count, seed, output = future.result()
                passed += count
                if output:
                    tests = re.findall(r"^(?:FAILED|ERROR) (\S+?)(?: - .*)?$", output, re.M)
                    print(output)
                    print(f"failed with the seed {seed}; again:\n  ESE_SEED={seed} "
                          f"{Path(sys.executable)} -m pytest -n0 "
                          + " ".join(f"'{test}'" for test in tests), flush=True)
                    stop.append(True)
    print(f"{passed} passed, {len(stop) and 1} failed")
    return 1 if stop else 0 if passed else 2


if __name__ == "__main__":
    sys.exit(main())
