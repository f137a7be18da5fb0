"""Run the sandbox runner's own tests with every Python 3.9 to 3.13 found.

``python scripts/test_runner.py [INTERPRETER …]``; an interpreter that has NumPy
and pandas, given by its path, also runs the tests of arrays and frames.
"""

import shutil
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parent.parent / "crates" / "sandbox" / "runner" / "tests"
MINORS = range(9, 14)


def found() -> list[str]:
    """One interpreter of each version, pyenv's own before those on the path."""
    interpreters = []
    for minor in MINORS:
        name = f"python3.{minor}"
        pyenv = sorted(Path.home().glob(f".pyenv/versions/3.{minor}.*/bin/{name}"))
        where = str(pyenv[-1]) if pyenv else shutil.which(name)
        if where and subprocess.run([where, "-c", ""], capture_output=True).returncode == 0:
            interpreters.append(where)
    return interpreters


def has_arrays(interpreter: str) -> bool:
    command = [interpreter, "-c", "import numpy, pandas"]
    return subprocess.run(command, capture_output=True).returncode == 0


def main() -> int:
    interpreters = sys.argv[1:] or found()
    if not interpreters:
        print("no Python 3.9 to 3.13 was found; give the path of one", file=sys.stderr)
        return 1
    failed = 0
    for interpreter in interpreters:
        modules = ["test_encode", *(["test_encode_arrays"] if has_arrays(interpreter) else [])]
        print(interpreter, *modules, flush=True)
        failed |= subprocess.run(
            [interpreter, "-B", "-m", "unittest", "-q", *modules], cwd=TESTS
        ).returncode
    return failed


if __name__ == "__main__":
    sys.exit(main())
