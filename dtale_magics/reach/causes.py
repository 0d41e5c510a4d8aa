"""What a probe may meet where a D-Tale should be: one table, for the kernel and the page.

To add a cause, add a row, and make the kernel's probe (`dtale_magics.reach.probe`) or the page's
(``frontend/static/probe.js``) find it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable

WAYS = {
    "ingress": "through the ingress",
    "hub": "through jupyter-server-proxy of the Hub's server",
    "server": "through jupyter-server-proxy",
    "page": "through jupyter-server-proxy",
    "pod": "at the pod's address",
    "loopback": "on this machine",
}
"""The way to a D-Tale for each source of URLs."""

_OF_THE_SERVER = ("hub", "server", "page")


@dataclass(frozen=True)
class Place:
    """Where a cause was met.

    Attributes
    ----------
    source
        A key of `WAYS`.
    base, port
        The URL without the slug, and the port that it leads to.
    origin
        Origin of the page that reported; empty if none has.
    kernel_reaches
        Whether the kernel reaches its own D-Tale there.
    machine
        Address of the kernel's machine if a gateway started the kernel there; else empty.
    """

    source: str
    base: str
    port: int
    origin: str = ""
    kernel_reaches: bool = False
    machine: str = ""

    @property
    def is_proxy_of_another_machine(self) -> bool:
        """Whether this is the proxy of a Jupyter server whose kernel runs on another machine."""
        return bool(self.machine) and self.source in _OF_THE_SERVER

    @property
    def is_another_site(self) -> bool:
        """Whether page and URL differ in the last two parts of their hosts, so in their sites.

        Different sites may share these two parts, as below ``co.uk``; they are not recognised.
        """
        sites = [(urlsplit(url).hostname or "").split(".")[-2:] for url in (self.base, self.origin)]
        named = all(len(site) > 1 and not site[-1].isdigit() for site in sites)
        return named and sites[0] != sites[1]

    def words(self) -> dict[str, Any]:
        """Return the values that the sentences of a cause may use."""
        parts = urlsplit(self.base)
        return {
            "way": WAYS[self.source],
            "port": self.port,
            "server": f"{parts.scheme}://{parts.netloc}" if parts.netloc else self.base,
            "page": urlsplit(self.origin).hostname,
            "machine": self.machine,
            "path": f"{parts.path.removesuffix(str(self.port))}{self.machine}:{{port}}",
        }


@dataclass(frozen=True)
class Special:
    """Another meaning of a cause, and what to do, for places where `when` holds."""

    when: Callable[[Place], bool]
    meaning: str
    advice: str


@dataclass(frozen=True)
class Cause:
    """One row of the table.

    Attributes
    ----------
    name
        Its name for programs and for the page.
    text
        What was met, in a few words; ``{fields}`` of the finding are filled in.
    meaning, advice
        What that means for somebody who wants to get there, and what to do: one sentence each.
    fields
        Fields that a finding with this cause has.
    detail
        Appended to `text` if the first of `fields` is not empty.
    statuses
        HTTP statuses that show it.
    vague
        Whether the other side may know better: browsers tell pages little about what they met.
    elsewhere
        Whether a link to that place leads to somebody else, so that a page does not offer it.
    specials
        The first one that holds for the place replaces `meaning` and `advice`.
    glyph
        A shape, so that colour is never the only sign.
    """

    name: str
    text: str
    meaning: str
    advice: str
    fields: tuple[str, ...] = ()
    detail: str = ""
    statuses: tuple[int, ...] = ()
    vague: bool = False
    elsewhere: bool = False
    specials: tuple[Special, ...] = ()
    glyph: str = "✗"


OURS = Cause(
    "ours",
    "this notebook, {milliseconds} ms",
    "It leads to this notebook.",
    "Nothing is to be done.",
    fields=("milliseconds",),
    glyph="✓",
)
ANOTHER_NOTEBOOK = Cause(
    "another-notebook",
    "shows {label}",
    "It leads to {label}, and not to this notebook.",
    "Listen there as well: %dtale_port {port}",
    fields=("label",),
    elsewhere=True,
)
OTHER_DTALE = Cause(
    "other-dtale",
    "shows a D-Tale that is not of this pod",
    "It leads to a D-Tale of another pod, or of a kernel that has ended.",
    "Compare the Service's selector with this pod's labels.",
    elsewhere=True,
)
WRONG_PREFIX = Cause(
    "wrong-prefix",
    "the path {asked} arrives as {seen}",
    "The proxy changes the path: {asked} arrives as {seen}, so that the page would miss its "
    "scripts.",
    "Set DTALE_INGRESS_URL to the path that browsers use; a proxy that strips it has to send it as "
    "X-Forwarded-Prefix.",
    fields=("asked", "seen"),
    elsewhere=True,
)
NO_ROUTE = Cause(
    "no-route",
    "404 of something else",
    "The ingress answers, and has no route for this host and path.",
    "Compare host, path and class of the Ingress with the URL: kubectl get ingress",
    statuses=(404,),
    elsewhere=True,
    specials=(
        Special(
            lambda place: place.source != "ingress",
            "The Jupyter server has no proxy for ports.",
            "Install jupyter-server-proxy where the server runs, and start the server again.",
        ),
    ),
)
_ON_ANOTHER_MACHINE = Special(
    lambda place: place.is_proxy_of_another_machine,
    "A kernel gateway started this kernel, on {machine}; the Jupyter server's proxy looks for "
    "D-Tale on the server's own machine.",
    'Put c.ServerProxy.host_allowlist = ["localhost", "127.0.0.1", "{machine}"] into '
    "jupyter_server_config.py and start the server again, then type: "
    "%config DtaleMagics.proxy_url = '{path}'",
)
BAD_GATEWAY = Cause(
    "bad-gateway",
    "502 bad gateway",
    "The proxy reaches the pod, where nothing listens on the port that it asks.",
    "Show a frame on port {port} with %dtale_port --take; the Service's target port has to be "
    "{port}.",
    statuses=(502,),
    specials=(_ON_ANOTHER_MACHINE,),
)
UNAVAILABLE = Cause(
    "unavailable",
    "503 no backend",
    "The ingress has a route and no backend for it.",
    "Compare the Service's selector and port with the pod: kubectl get endpointslices",
    statuses=(503,),
)
GATEWAY_TIMEOUT = Cause(
    "gateway-timeout",
    "504 gateway timeout",
    "The proxy gets no answer from the pod: a NetworkPolicy drops the connection.",
    "Admit the ingress controller's namespace to port {port} in the NetworkPolicy.",
    statuses=(504,),
    specials=(_ON_ANOTHER_MACHINE,),
)
SIGN_IN = Cause(
    "sign-in",
    "asks for a sign-in",
    "Visitors have to sign in there first.",
    "Open the link in a tab and sign in, then check again.",
    fields=("where",),
    detail=" at {where}",
    statuses=(401, 403),
    specials=(
        Special(
            lambda place: place.is_another_site,
            "Visitors have to sign in there first, and browsers send no cookies to another site in "
            "a frame.",
            "Open the link in a tab and sign in; to show here, the ingress has to be on the site "
            "of {page}.",
        ),
    ),
)
_MET_BY_THE_PAGE = Special(
    lambda place: place.kernel_reaches,
    "The kernel gets there, and the page meets something else: a sign-in, or a proxy between "
    "browser and ingress.",
    "Open the link in a tab and see what answers.",
)
SOMETHING_ELSE = Cause(
    "something-else",
    "something else answers, {status}",
    "A server that is not D-Tale answers {way}.",
    "Type %dtale_port to see who has port {port}, the Service's target port.",
    fields=("status",),
    specials=(_ON_ANOTHER_MACHINE, _MET_BY_THE_PAGE),
)
ANSWERS = Cause(
    "answers",
    "something answers that is not this notebook",
    "A server that is not D-Tale answers {way}.",
    "Type %dtale_port to see who has port {port}, the Service's target port.",
    vague=True,
    specials=(_ON_ANOTHER_MACHINE, _MET_BY_THE_PAGE),
)
BAD_CERTIFICATE = Cause(
    "bad-certificate",
    "certificate not trusted",
    "The TLS certificate of the ingress does not vouch for this name.",
    "Give the Ingress a Secret whose certificate covers the host.",
    fields=("why",),
    detail=": {why}",
)
MIXED_CONTENT = Cause(
    "mixed-content",
    "http, which an https page may not show",
    "Browsers show nothing by http inside an https page.",
    "Give the ingress TLS and set DTALE_INGRESS_URL to https://…",
)
NAME_NOT_FOUND = Cause(
    "name-not-found",
    "the name {host} is not known",
    "There is no DNS entry for {host}.",
    "Point the name, or a wildcard above it, at the ingress controller.",
    fields=("host",),
)
REFUSED = Cause(
    "refused",
    "connection refused",
    "Nothing listens at that address.",
    "Check host and port of the URL, and that the ingress controller runs.",
)
TIMED_OUT = Cause(
    "timed-out",
    "no answer in time",
    "Nothing answers there: a firewall or a NetworkPolicy drops it, or it is too slow.",
    "Admit port {port} in the NetworkPolicy, and check the route to the ingress.",
    specials=(_ON_ANOTHER_MACHINE,),
)
_LOOK = "Open {server} in a tab: the browser says whether name, certificate or network is to blame."
UNREACHABLE = Cause(
    "unreachable",
    "not reachable",
    "There is no way to that address.",
    _LOOK,
    fields=("why",),
    detail=": {why}",
)
NO_CONNECTION = Cause(
    "no-connection",
    "no connection",
    "There is no way to that address.",
    _LOOK,
    vague=True,
    specials=(
        _ON_ANOTHER_MACHINE,
        Special(
            lambda place: place.kernel_reaches,
            "The kernel gets there and the browser does not.",
            _LOOK,
        ),
    ),
)

ALL = {found.name: found for found in list(globals().values()) if isinstance(found, Cause)}
"""The table, by name."""

BY_STATUS = {status: cause for cause in ALL.values() for status in cause.statuses}
"""The causes that an HTTP status shows."""


def for_page() -> dict[str, Any]:
    """Return the part of the table that a page needs, ready for JSON."""
    return {
        "statuses": {str(status): cause.name for status, cause in BY_STATUS.items()},
        "elsewhere": [cause.name for cause in ALL.values() if cause.elsewhere],
    }
