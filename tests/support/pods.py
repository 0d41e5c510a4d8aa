"""A network namespace that looks like a Kubernetes pod from within.

It has an address of its own, and its hostname resolves to that address and not to 127.0.0.1: the
circumstance in which plain D-Tale shows one notebook's data in another (man-group/dtale#853).
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import itertools
import os
import shutil
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Self

ADDRESS = "192.0.2.10"  # TEST-NET-1 of RFC 5737; seen inside the namespace only
HOSTNAME = "jupyter-jo"
OUTSIDE = "198.51.100.7"  # TEST-NET-2

_CLONE_NEWNET = 0x40000000  # sched.h
_NAMESPACES = Path("/var/run/netns")
_PREFIX = "dtale-magics-"
_numbers = itertools.count()


def name(label: str) -> str:
    """Name of a namespace, by which it is removed after this test run if that is killed."""
    return f"{_PREFIX}{os.getpid()}-{label}"


class Pod:
    """One pod; close it after every process in it has ended."""

    address = ADDRESS
    hostname = HOSTNAME

    def __init__(self, directory: Path) -> None:
        self.name = name(str(next(_numbers)))
        self._hosts = directory / "hosts"
        self._hosts.write_text(
            f"127.0.0.1 localhost\n::1 localhost ip6-localhost\n{ADDRESS} {HOSTNAME}\n"
        )
        _ip("netns", "add", self.name)
        try:
            self._ip("link", "set", "lo", "up")
            self._ip("link", "add", "eth0", "type", "veth", "peer", "name", "eth1")
            self._ip("address", "add", f"{ADDRESS}/24", "dev", "eth0")
            for end in ("eth0", "eth1"):
                self._ip("link", "set", end, "up")
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        _ip("netns", "delete", self.name)

    def command(self, command: list[str]) -> list[str]:
        """Command line that runs `command` in the pod, under the process id of its caller."""
        script = 'hostname "$1"; mount --bind "$2" /etc/hosts; shift 2; exec "$@"'
        enter = ["ip", "netns", "exec", self.name, "unshare", "--uts", "--mount"]
        return [*enter, "sh", "-ec", script, "sh", HOSTNAME, str(self._hosts), *command]

    def connect(self, host: str, port: int, timeout: float) -> socket.socket:
        """TCP connection that starts inside the pod; may be used from everywhere."""

        def connect() -> socket.socket:
            self._enter()
            return socket.create_connection((host, port), timeout)

        # A thread can change its namespace; a socket keeps the one it was made in.
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(connect).result()

    def lead_nowhere(self, name: str) -> None:
        """Block the egress: what goes outside is never answered, and `name` is outside."""
        self._ip("route", "add", "default", "dev", "eth0")
        self._ip("neighbour", "add", OUTSIDE, "lladdr", "02:00:00:00:00:01", "dev", "eth0")
        with self._hosts.open("a") as hosts:
            hosts.write(f"{OUTSIDE} {name}\n")

    def _enter(self) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        with (_NAMESPACES / self.name).open() as namespace:
            if libc.setns(namespace.fileno(), _CLONE_NEWNET):
                number = ctypes.get_errno()
                raise OSError(number, os.strerror(number))

    def _ip(self, *words: str) -> None:
        _ip("-netns", self.name, *words)


@functools.cache
def reason_against() -> str | None:
    """Why there can be no pods here, or None."""
    if sys.platform != "linux":
        return "a pod-like network namespace needs Linux"
    if os.getuid() != 0:
        return "a pod-like network namespace needs root"
    for tool in ("ip", "unshare", "mount", "hostname"):
        if shutil.which(tool) is None:
            return f"a pod-like network namespace needs the program {tool!r}"
    _remove_leftovers()
    trial = name("trial")
    try:
        _ip("netns", "add", trial)
        _ip("netns", "delete", trial)
    except subprocess.CalledProcessError as error:
        return f"no network namespace may be made here: {error.stderr.strip()}"
    return None


def _remove_leftovers() -> None:
    """Remove the namespaces of test runs that were killed."""
    for path in _NAMESPACES.glob(f"{_PREFIX}*"):
        pid = path.name.removeprefix(_PREFIX).partition("-")[0]
        if not Path("/proc", pid).exists():
            with contextlib.suppress(subprocess.CalledProcessError):
                _ip("netns", "delete", path.name)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True, timeout=30)
