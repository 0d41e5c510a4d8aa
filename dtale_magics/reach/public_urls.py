"""The URLs at which this kernel's D-Tale may be seen, best first, each with its evidence."""

from __future__ import annotations

import functools
import os
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from dtale_magics.reach.causes import WAYS
from dtale_magics.system import jupyter_server

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dtale_magics.settings import Settings
    from dtale_magics.system.jupyter_server import JupyterServer


@dataclass(frozen=True)
class PublicUrl:
    """A URL that may lead to a port of this kernel.

    Attributes
    ----------
    source
        ``ingress`` (configured), ``hub`` and ``server`` (jupyter-server-proxy), ``pod`` or
        ``loopback``.
    base
        The part before the slug: an absolute URL, or a path on the host of the user's page.
    port
        The port that it leads to.
    evidence
        How it is known.
    kernel_base
        Where the kernel itself asks, if not at `base`.
    kernel_headers
        Headers that the kernel sends; never told to anybody else.
    """

    source: str
    base: str
    port: int
    evidence: str
    kernel_base: str = ""
    kernel_headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def path(self) -> str:
        """The public path prefix, without a trailing slash."""
        return urlsplit(self.base).path.rstrip("/")

    def as_dict(self) -> dict[str, Any]:
        """Return what a page may know."""
        told = {name: getattr(self, name) for name in ("source", "base", "port", "evidence")}
        return {**told, "way": WAYS[self.source]}


def candidates(
    settings: Settings,
    ports: Iterable[int],
    environ: Mapping[str, str] | None = None,
    server: JupyterServer | None = None,
) -> tuple[PublicUrl, ...]:
    """List the URLs that may lead to `ports`, and the one that leads to the ingress port.

    Parameters
    ----------
    settings
        This kernel's settings.
    ports
        Its bound ports; the one that links name comes first.
    environ
        Environment, by default this process's.
    server
        The Jupyter server of this kernel; by default, it is looked up.
    """
    environ = os.environ if environ is None else environ
    server = server or current_server()
    ports = list(ports)
    found = [*_configured(settings, ports)]
    for port in ports:
        found += _proxied(port, environ, server, settings.proxy_url)
    address = pod_address()
    if address:
        host = f"[{address}]" if ":" in address else address
        found += [
            PublicUrl("pod", f"http://{host}:{port}", port, "the address of this machine's name")
            for port in ports
        ]
    found += [
        PublicUrl("loopback", f"http://127.0.0.1:{port}", port, "this machine") for port in ports
    ]
    return tuple(found)


def prefixes(
    settings: Settings, ports: Iterable[int], environ: Mapping[str, str] | None = None
) -> tuple[str, ...]:
    """List the public path prefixes that requests may come through, longest first.

    Parameters
    ----------
    settings
        This kernel's settings.
    ports
        Its bound ports.
    environ
        Environment, by default this process's.
    """
    environ = os.environ if environ is None else environ
    server = current_server()
    roots = {environ.get("JUPYTERHUB_SERVICE_PREFIX", "").rstrip("/"), ""}
    if server is not None:
        roots.add(server.base_path)
    ports = list(ports)
    found = {f"{root}/proxy/{port}" for root in roots for port in ports}
    if settings.proxy_url:
        found |= {urlsplit(settings.proxy_url.replace("{port}", str(port))).path for port in ports}
    found |= {url.path for url in _configured(settings, ports) if url.path}
    return tuple(sorted(found, key=lambda prefix: (-len(prefix), prefix)))


@functools.cache
def _server_of(pid: int) -> JupyterServer | None:
    del pid
    return jupyter_server.of_this_kernel()


def current_server() -> JupyterServer | None:
    """Find the Jupyter server of this kernel, only once: it was there before the kernel."""
    return _server_of(os.getpid())


def pod_address() -> str:
    """Return the address at which the cluster reaches this pod; "" on a machine without one.

    In a pod, the hostname resolves to the pod's own address.
    """
    return os.environ.get("POD_IP") or _address_of(socket.gethostname())


def machine_of_a_gateway() -> str:
    """Return the address of this machine if a kernel gateway started this kernel; otherwise "".

    Jupyter's kernel gateway and Enterprise Gateway tell their kernels so; they usually run on
    another machine than the Jupyter server.
    """
    if not os.environ.get("KERNEL_GATEWAY"):
        return ""
    return pod_address() or socket.gethostname()


@functools.cache
def _address_of(hostname: str) -> str:
    try:
        found = socket.getaddrinfo(hostname, None, type=socket.SOCK_STREAM)
    except OSError:
        return ""
    addresses = [str(one[4][0]) for one in found]
    return next((one for one in addresses if not one.startswith(("127.", "::1", "fe80"))), "")


def _configured(settings: Settings, ports: list[int]) -> Iterable[PublicUrl]:
    """List the configured URLs; without ``{port}``, only the ingress port has one.

    With it, each port has one that the cluster exposes, or any port if it does not say which.
    """
    url = settings.ingress_url
    if not url:
        return
    evidence = "DTALE_INGRESS_URL or c.DtaleMagics.ingress_url"
    exposed = settings.ingress_port
    if "{port}" not in url:
        yield PublicUrl("ingress", url, exposed, evidence)
        return
    if settings.exposed_ports:
        ports = [port for port in ports if port in settings.exposed_ports]
    for port in sorted(ports, key=lambda port: port != exposed) or [exposed]:
        yield PublicUrl("ingress", url.replace("{port}", str(port)), port, evidence)


def _proxied(
    port: int, environ: Mapping[str, str], server: JupyterServer | None, template: str | None
) -> Iterable[PublicUrl]:
    kernel_base = "" if server is None else f"{server.url.rstrip('/')}/proxy/{port}"
    headers = {} if server is None else server.headers
    hub = environ.get("JUPYTERHUB_SERVICE_PREFIX", "").rstrip("/")
    if template:
        base = template.replace("{port}", str(port))
        evidence = "DTALE_PROXY_URL or c.DtaleMagics.proxy_url"
        yield PublicUrl("hub" if hub else "server", base, port, evidence, kernel_base, headers)
    elif hub:
        # The Hub tells its host only if its administrator configured it; a page knows the host.
        public = environ.get("JUPYTERHUB_PUBLIC_URL", "").rstrip("/")
        evidence = "JUPYTERHUB_PUBLIC_URL" if public else "JUPYTERHUB_SERVICE_PREFIX"
        base = f"{public or hub}/proxy/{port}"
        yield PublicUrl("hub", base, port, evidence, kernel_base, headers)
    elif server is not None:
        base = f"{server.base_path}/proxy/{port}"
        evidence = f"the Jupyter server of process {server.pid}"
        yield PublicUrl("server", base, port, evidence, kernel_base, headers)
