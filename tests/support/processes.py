"""End processes whatever state they are in."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess

import psutil

from tests.support.waiting import wait_until

STOP_SECONDS = 10.0
POLITE_SECONDS = 3.0
KILL_SECONDS = 10.0


def end(process: subprocess.Popen[bytes], polite: float = POLITE_SECONDS) -> None:
    """Terminate, wait with a deadline, then kill; takes the whole process group.

    `process` must have been started with ``start_new_session=True``.
    """
    if process.poll() is None:
        _signal(process.pid, signal.SIGCONT)  # a stopped process does not see SIGTERM
        _signal(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(polite)
    _signal(process.pid, signal.SIGKILL)  # and whatever it left behind
    process.wait(KILL_SECONDS)


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kill this one process, as the system's out-of-memory killer does."""
    process.kill()
    process.wait(KILL_SECONDS)


def stop(pid: int) -> None:
    """Suspend a process, and return when it is: a signal takes its time on a busy machine."""
    os.kill(pid, signal.SIGSTOP)
    process = psutil.Process(pid)
    wait_until(lambda: process.status() == psutil.STATUS_STOPPED, STOP_SECONDS, every=0.002)


def _signal(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
