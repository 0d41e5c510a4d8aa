"""The Node.js of the tests' environment."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

NODE = Path(sys.executable).with_name("node")


def node(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [NODE, "--disable-warning=MODULE_TYPELESS_PACKAGE_JSON", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)


def run_tests(folder: Path) -> None:
    """Run every ``*.test.js`` of a folder."""
    done = node("--test", "--test-reporter=tap", *sorted(folder.glob("*.test.js")))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "\n# pass 0" not in done.stdout
