"""What helps with a bug and gives nothing away: ``%dtale --report``, ``check --json``.

It is pasted where everybody reads it. So it consists of versions, numbers and fixed words only, and
copies no text: it cannot contain a link or the name of a host, a user, a notebook or a frame.
"""

from __future__ import annotations

import importlib.metadata
import json
import platform
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from dtale_magics.frontend.typed.commands import Answer
from dtale_magics.reach.causes import WAYS
from dtale_magics.settings import NEAR_NETWORKS, in_cluster
from dtale_magics.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dtale_magics.session import Session
    from dtale_magics.settings import Settings

_PACKAGES = (
    "dtale", "pandas", "numpy", "polars", "pyarrow", "narwhals",
    "ipython", "ipykernel", "ipywidgets", "anywidget",
    "jupyterlab", "notebook", "jupyter_server", "jupyter_server_proxy", "jupyterhub",
    "flask", "werkzeug", "urllib3",
)  # fmt: skip
_VERSION = re.compile(r"\d+(\.\d+)*")


class Report(dict[str, Any]):
    """Shows itself as the text that is pasted."""

    def __str__(self) -> str:
        return json.dumps(self, indent=2)


def report(session: Session, _: Any = None) -> Answer:
    """Check the ways to this kernel's D-Tale, and make the report; takes at most three seconds."""
    mistake = session.settings().mistake
    verdict = session.check().as_dict()
    status = session.status()
    found = Report(
        **environment(session.settings()),
        here={
            "ports": len(status.ports),
            "on_the_ingress_port": status.ingress_port in status.ports,
            "in_front": status.holds_ingress,
            "frames": len(status.frames),
            "notebooks": len(session.kernels()),
        },
        mistake=None if mistake is None else mistake.name,
        verdict=outline(verdict),
    )
    return Answer(str(found), found)


def environment(settings: Settings) -> dict[str, Any]:
    """Return versions, the kind of system, and the settings that hold."""
    system = _VERSION.match(platform.release())
    return {
        "dtale_magics": VERSION,
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": f"{platform.system()} {system.group() if system else ''}".strip(),
        "on_a_cluster": in_cluster(),
        "packages": dict(_versions()),
        "settings": _settings(settings),
    }


def outline(verdict: Mapping[str, Any]) -> dict[str, Any]:
    """Reduce a verdict to what was met on which kind of way.

    Parameters
    ----------
    verdict
        As `dtale_magics.reach.verdict.Verdict.as_dict` returns it.
    """
    ways = [
        {
            "way": row["source"] if row["source"] in WAYS else "other",
            "address": shape(str(row["base"]), row["port"]),
            "port": int(row["port"]),
            "kernel": _met(row["kernel"]),
            "browser": _met(row["browser"]),
        }
        for row in verdict["rows"]
    ]
    reachable = verdict["reachable"]
    return {"reachable": None if reachable is None else bool(reachable), "ways": ways}


def shape(url: str, port: int = 0) -> str:
    """Write a URL without its names: ``https://…:8443/…/{port}``; the number `port` may stay."""
    parts = urlsplit(url)
    known = {"", "proxy", "{port}", str(port)}
    path = [one if one in known else "…" for one in parts.path.split("/")[1:]]
    host = ""
    if parts.netloc:
        try:
            at = f":{parts.port}" if parts.port else ""
        except ValueError:  # a placeholder
            at = ":{port}"
        host = f"{parts.scheme}://…{at}".removeprefix(":")
    return "/".join([host, *path])


def _met(finding: Mapping[str, Any] | None) -> str | None:
    """Say what was met in the words of `dtale_magics.reach.finding`, with its number if any."""
    if finding is None:
        return None
    numbers = [value for name, value in finding.items() if name in {"status", "milliseconds"}]
    cause = str(finding["cause"])
    known = re.fullmatch(r"[a-z-]{1,30}", cause) is not None
    return " ".join([cause if known else "other", *(str(int(one)) for one in numbers)])


def _settings(settings: Settings) -> dict[str, Any]:
    near = " ".join(str(one) for one in settings.trusted_proxies) == NEAR_NETWORKS
    return {
        "range": list(settings.range),
        "ingress_port": settings.ingress_port,
        "exposed_ports": list(settings.exposed_ports),
        "ingress_url": None if settings.ingress_url is None else shape(settings.ingress_url),
        "proxy_url": None if settings.proxy_url is None else shape(settings.proxy_url),
        "allowed_hosts": len(settings.allowed_hosts),
        "trusted_proxies": "default" if near else len(settings.trusted_proxies),
        "open_access": settings.open_access,
        "kept_expressions": settings.kept_expressions,
    }


def _versions() -> list[tuple[str, str]]:
    found = []
    for name in _PACKAGES:
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        found.append((name, version))
    return found
