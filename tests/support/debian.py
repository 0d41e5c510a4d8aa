"""Programs of Debian's that tests run: unpacked beside their others, with no service started."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sysconfig
import tempfile
from contextlib import suppress
from pathlib import Path

PROGRAMS = {
    "nginx": (("nginx",), "-v"),
    "haproxy": (("haproxy", "liblua5.3-0", "libopentracing-c-wrapper0", "libopentracing1"), "-v"),
    "caddy": (("caddy",), "version"),
    "kubectl": (("kubernetes-client", "kubectl"), "version --client"),
    "nft": (
        ("nftables", "libnftables1", "libnftnl11", "libmnl0", "libxtables12", "libjansson4"),
        "--version",
    ),
}
"""The packages of each (some are called otherwise elsewhere), and a harmless call."""

_UNPACKED = Path(sysconfig.get_path("data")) / "debian"
_LIBRARIES = [
    str(_UNPACKED / "usr/lib" / part) for part in ("", "x86_64-linux-gnu", "aarch64-linux-gnu")
]


@functools.cache
def find(name: str) -> str | None:
    """Path of a program that starts."""
    unpacked = (str(_UNPACKED / "usr" / part / name) for part in ("sbin", "bin"))
    for path in (*unpacked, shutil.which(name), f"/usr/sbin/{name}"):
        with suppress(OSError, subprocess.TimeoutExpired):
            if path and _starts([path, *PROGRAMS[name][1].split()]):
                return path
    return None


def environment() -> dict[str, str]:
    """Environment for such a program: its libraries, and no proxies."""
    kept = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
    paths = [*_LIBRARIES, os.environ.get("LD_LIBRARY_PATH", "")]
    return {**kept, "LD_LIBRARY_PATH": ":".join(filter(None, paths))}


def install() -> None:
    """Unpack the programs that are missing; do nothing on systems other than Debian."""
    missing = [name for name in PROGRAMS if find(name) is None]
    if not missing or not (shutil.which("apt-get") and shutil.which("dpkg")):
        return
    with tempfile.TemporaryDirectory(prefix="dtale-magics-debian-") as directory:
        Path(directory).chmod(0o755)  # apt-get fetches as a user of its own
        subprocess.run(["apt-get", "update", "-q"], check=False, timeout=300)
        for name in missing:
            for package in PROGRAMS[name][0]:
                command = ["apt-get", "download", "-q", package]
                subprocess.run(command, cwd=directory, check=False, timeout=300)
        for file in Path(directory).glob("*.deb"):
            subprocess.run(["dpkg", "-x", str(file), str(_UNPACKED)], check=False, timeout=60)
    find.cache_clear()


def _starts(command: list[str]) -> bool:
    done = subprocess.run(command, env=environment(), capture_output=True, check=False, timeout=60)
    return done.returncode == 0


def main() -> None:
    install()
    for name in PROGRAMS:
        print(f"{name} for the tests: {find(name) or 'none, what needs it is left out'}")


if __name__ == "__main__":
    main()
