from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.support import ROOT

SEED = os.environ.get("DTALE_MAGICS_SOAK_SEED", "")
"""Replays a run that failed; a run of its own choice otherwise."""


@pytest.mark.timeout(500)
def test_kernels_contend_for_a_port_under_load_and_nothing_is_lost() -> None:
    command = [sys.executable, "-m", "benchmarks.soak", "--seconds", "20", "--kernels", "3"]
    with subprocess.Popen(
        [*command, *(["--seed", SEED] if SEED else [])],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as process:
        try:
            said, failed = process.communicate(timeout=400)
        finally:
            process.terminate()  # its notebooks end with it, also one that is stopped
    assert process.returncode == 0, said + failed
    assert "0 lost" in said
