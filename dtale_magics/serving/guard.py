"""Who may ask for what, from where: the rules that a request must pass before D-Tale sees it.

They are pure functions of a request and a `Policy`. `dtale_magics.serving.web` applies them in
the order of this module: the public prefix, the capability, the host, the origin.

The capability is the wall. The other rules stop what a page could make a browser do: a page that
knows the link or, where the ingress itself asks for a sign-in, any page.
"""

from __future__ import annotations

import functools
import hmac
import ipaddress
import re
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dtale_magics.settings import Network, Settings

HEADER = "X-Dtale-Magics"
"""Sent with every request of the panel; a foreign page needs a CORS preflight to send it."""

_HEADER_KEY = f"HTTP_{HEADER.upper().replace('-', '_')}"

_PREFIX_HEADERS = ("HTTP_X_FORWARDED_PREFIX", "HTTP_X_FORWARDED_CONTEXT", "HTTP_X_PROXYCONTEXTPATH")

_HOST = re.compile(r"(?:\[([0-9a-f:.]+)\]|([a-z0-9_](?:[a-z0-9_.-]{0,252})))(?::(\d{1,5}))?")
_ORIGIN = re.compile(r"https?://[a-z0-9\[\]:_.-]{1,270}")

_PAGE_ORIGIN = re.compile(rf"{_ORIGIN.pattern}|vscode-(?:webview|file)://[a-z0-9.-]{{1,100}}")
"""Origins that a notebook's page may have: VS Code has schemes of its own."""

_MAX_ANCESTORS = 4

_PAGES = re.compile(
    r"(?:dtale(?:/(?:main|iframe|popup|network|calculation|code-popup|charts)(?:/[^_].*)?)?/?)?"
)
"""What another site may link to or frame, below the slug: pages, which change nothing.

Paths like ``/dtale/charts/_…`` are the charts' own calls, so they are excluded.
"""

_LOOPBACK_ANCESTORS = tuple(
    f"{scheme}://{host}:*" for scheme in ("http", "https") for host in ("localhost", "127.0.0.1")
)


@dataclass(frozen=True)
class Policy:
    """What holds for requests at the moment.

    Attributes
    ----------
    prefixes
        The public path prefixes that requests may come through, without a trailing slash.
    hosts
        Host names, in lower case, under which this kernel may be addressed, besides those that
        nobody can point here by DNS.
    any_host
        Whether a request that has the capability may use any host name.
    proxies
        Peers whose forwarded headers are believed.
    open_access
        Whether D-Tale answers without the capability.
    """

    prefixes: tuple[str, ...] = ()
    hosts: frozenset[str] = frozenset()
    any_host: bool = False
    proxies: tuple[Network, ...] = ()
    open_access: bool = False


@functools.lru_cache(maxsize=16)
def policy(
    settings: Settings, prefixes: tuple[str, ...], hub_urls: tuple[str, ...], *, in_cluster: bool
) -> Policy:
    """Derive the policy from what is configured.

    Parameters
    ----------
    settings
        This kernel's settings.
    prefixes
        See `Policy`.
    hub_urls
        Public URLs of the Hub and of this user's server, if the Hub tells them.
    in_cluster
        Whether a Hub or Kubernetes runs this kernel. Then a proxy stands in front of it, and only
        its administrator knows that proxy's name: until a name is configured, any name will do.
    """
    urls = [settings.ingress_url or "", *hub_urls]
    configured = {_name_of(url) for url in urls} | set(settings.allowed_hosts)
    configured.discard("")
    return Policy(
        prefixes,
        frozenset(configured | {socket.gethostname().lower()}),
        in_cluster and not configured,
        settings.trusted_proxies,
        settings.open_access,
    )


def split_prefix(environ: Mapping[str, str], policy: Policy) -> tuple[str, str]:
    """Find the public prefix: forwarded by a proxy that strips it, or kept in the path.

    The header is believed only from trusted proxies, and only a prefix from the policy's closed
    list counts. So a forged header could lead to links with another kernel's port, but no further.
    """
    path = environ["PATH_INFO"]
    for header in _PREFIX_HEADERS:
        forwarded = environ.get(header, "").rstrip("/")
        if forwarded and forwarded in policy.prefixes:
            if _is_trusted(environ.get("REMOTE_ADDR", ""), policy.proxies):
                kept = path.startswith(f"{forwarded}/")  # some proxies also keep it in the path
                return forwarded, path.removeprefix(forwarded) if kept else path
            break
    for prefix in policy.prefixes:
        if path.startswith(f"{prefix}/"):
            return prefix, path.removeprefix(prefix)
    return "", path


def has_capability(segment: str, slug: str) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(segment.encode("utf-8", "surrogatepass"), slug.encode())


def refuses_host(environ: Mapping[str, str], policy: Policy, *, capable: bool) -> bool:
    """Whether the request uses a host name that is not this kernel's.

    A page can make its own name point to this machine (DNS rebinding); the browser then takes us
    for the same origin. That works neither with a literal address nor with a name without a dot.
    """
    name = host_name(environ.get("HTTP_HOST", ""))
    if not name:
        return True
    if _knows(policy, name) or "." not in name or name.endswith(".localhost"):
        return False
    if _is_address(name):
        return False
    # jupyter-server-proxy keeps the name of the Jupyter server, which has checked it.
    return not (capable and (policy.any_host or _came_through(environ, policy)))


def comes_from_elsewhere(environ: Mapping[str, str], policy: Policy) -> bool:
    """Whether a page of another origin made the browser send this request."""
    site = environ.get("HTTP_SEC_FETCH_SITE")
    if site:
        return site not in {"same-origin", "none"}
    # Older browsers do not send it, nor does any browser over plain HTTP to another machine.
    origin = environ.get("HTTP_ORIGIN")
    if not origin:
        return False
    if not _ORIGIN.fullmatch(origin.lower()):
        return True
    page = origin.lower().partition("://")[2]
    asked = {environ.get("HTTP_HOST", "").lower()}
    if _is_trusted(environ.get("REMOTE_ADDR", ""), policy.proxies):
        asked.add(environ.get("HTTP_X_FORWARDED_HOST", "").lower())
    return page not in asked and not _knows(policy, host_name(page))


def is_page(environ: Mapping[str, str], rest: str) -> bool:
    """Whether the browser follows a link to one of D-Tale's pages, or loads it in a frame."""
    return (
        environ["REQUEST_METHOD"] in {"GET", "HEAD"}
        and environ.get("HTTP_SEC_FETCH_MODE") == "navigate"
        and environ.get("HTTP_SEC_FETCH_DEST") in {"document", "iframe", "frame"}
        and _PAGES.fullmatch(rest) is not None
    )


def notebook_origins(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return the origins of the page that contains the panel, and of the pages that frame it.

    The latter are in the panel's header. Empty if this is not a panel's call.
    """
    if _HEADER_KEY not in environ:
        return ()
    said = [environ.get("HTTP_ORIGIN", ""), *environ[_HEADER_KEY].split()[:_MAX_ANCESTORS]]
    return tuple(origin for origin in map(str.lower, said) if _PAGE_ORIGIN.fullmatch(origin))


@functools.lru_cache(maxsize=16)
def frame_ancestors(policy: Policy, origins: tuple[str, ...]) -> str:
    """Make the policy that says which pages may frame ours (Content-Security-Policy)."""
    named = sorted(f"{host}:*" for host in policy.hosts if "." in host)
    return " ".join(["frame-ancestors 'self'", *_LOOPBACK_ANCESTORS, *named, *origins])


@functools.lru_cache(maxsize=64)
def host_name(host: str) -> str:
    """Take the name or address out of a ``Host`` header; "" if it is none."""
    found = _HOST.fullmatch(host.lower())
    if found is None:
        return ""
    return found[1] or found[2].rstrip(".")


def _knows(policy: Policy, name: str) -> bool:
    """Whether a name is among the policy's hosts, or below one that begins with ``*.``.

    A wildcard matches at any depth, as it does for browsers in ``frame-ancestors``.
    """
    labels = name.split(".")
    above = (f"*.{'.'.join(labels[depth:])}" for depth in range(1, len(labels)))
    return name in policy.hosts or any(wildcard in policy.hosts for wildcard in above)


def _name_of(url: str) -> str:
    try:
        return host_name(urlsplit(url).hostname or "")
    except ValueError:
        return ""


@functools.lru_cache(maxsize=64)
def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _came_through(environ: Mapping[str, str], policy: Policy) -> bool:
    """Whether a trusted proxy says that this came by one of our prefixes."""
    return _is_trusted(environ.get("REMOTE_ADDR", ""), policy.proxies) and any(
        environ.get(header, "").rstrip("/") in policy.prefixes for header in _PREFIX_HEADERS
    )


@functools.lru_cache(maxsize=256)
def _is_trusted(address: str, proxies: tuple[Network, ...]) -> bool:
    try:
        peer = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(peer in network for network in proxies)
