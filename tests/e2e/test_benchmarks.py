from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.support import ROOT

if TYPE_CHECKING:
    from pathlib import Path


def test_a_benchmark_still_runs_and_leaves_its_figures(tmp_path: Path) -> None:
    file = tmp_path / "bench.json"
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--quick", "--only", "guard", "--json", str(file)],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        cwd=ROOT,
    )
    assert "grid request through the guard" in done.stdout, done.stderr
    found = json.loads(file.read_text())
    assert found["failed"] == []
    assert found["machine"]["dtale"]
    (row,) = found["rows"]
    assert len(row["ours"]["values"]) == 20
    assert done.returncode == (1 if found["missed"] else 0)
