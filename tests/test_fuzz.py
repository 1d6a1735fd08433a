"""A short run of the fuzzer over everything murk opens; `benchmarks/fuzz.py` is the long one."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

FUZZ = Path(__file__).parents[1] / "benchmarks" / "fuzz.py"
INPUTS = 3000


@pytest.mark.skipif(find_spec("atheris") is None, reason="Atheris is not installed (Linux; pip install atheris)")
def test_damaged_files_are_refused_by_the_librarys_own_errors_and_nothing_else(tmp_path: Path) -> None:
    line = [sys.executable, str(FUZZ), "--one", "every", "--inputs", str(INPUTS), "--findings", str(tmp_path)]
    ended = subprocess.run(line, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"}, timeout=300)
    assert ended.returncode == 0, ended.stderr[-4000:]
    assert f"Done {INPUTS} in" in ended.stderr
    assert not list(tmp_path.iterdir())
