"""The browser of the browser tests: find one that runs, or install one.

``python -m tests.support.chromium`` is the set-up step of ``make test``; the tests call `find`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
DOWNLOAD_SECONDS = 300
INSTALL_SECONDS = 900


def find() -> str | None:
    """Path of a Chromium that starts, Playwright's own first."""
    candidates = [_of_playwright(), *map(shutil.which, NAMES)]
    return next((path for path in candidates if path and _runs(path)), None)


def install() -> str | None:
    """Install Chromium: Playwright's own, or else the system's package."""
    _run([sys.executable, "-m", "playwright", "install", "chromium"], DOWNLOAD_SECONDS)
    if (found := find()) is None and shutil.which("apt-get") and os.getuid() == 0:
        environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        _run(["apt-get", "update", "-q"], INSTALL_SECONDS, environ)
        _run(["apt-get", "install", "-qy", "chromium"], INSTALL_SECONDS, environ)
        found = find()
    return found


def _of_playwright() -> str | None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).exists() else None


def _runs(path: str) -> bool:
    """Whether it starts: a downloaded one may lack libraries of the system."""
    try:
        done = subprocess.run([path, "--version"], capture_output=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _run(command: list[str], seconds: float, environ: dict[str, str] | None = None) -> None:
    print("+", *command, flush=True)
    try:
        subprocess.run(command, timeout=seconds, env=environ, check=False)
    except subprocess.TimeoutExpired:
        print(f"gave up after {seconds} s", flush=True)


def main() -> None:
    found = find() or install()
    if found is None:
        sys.exit(
            "No Chromium could be installed for the browser tests. Install your system's package "
            "(on Debian: apt-get install chromium), then run make test again."
        )
    print(f"Chromium for the browser tests: {found}")


if __name__ == "__main__":
    main()
