from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
SEED = os.environ.get("DTALE_MAGICS_SOAK_SEED", "")
"""Replays a run that failed; a run of its own choice otherwise."""


def test_kernels_contend_for_a_port_under_load_and_nothing_is_lost() -> None:
    command = [sys.executable, "-m", "benchmarks.soak", "--seconds", "20", "--kernels", "3"]
    done = subprocess.run(
        [*command, *(["--seed", SEED] if SEED else [])],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 lost" in done.stdout
