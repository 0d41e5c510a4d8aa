"""One verdict from what the kernel and the browser met: where D-Tale is seen, and if not, why.

Pure functions of findings; nothing is asked here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from dtale_magics.reach import finding
from dtale_magics.reach.finding import Finding, Ours

if TYPE_CHECKING:
    from collections.abc import Iterable

WAYS = {
    "ingress": "the ingress",
    "hub": "jupyter-server-proxy of the Hub's server",
    "server": "jupyter-server-proxy",
    "page": "jupyter-server-proxy",
    "pod": "the pod's address",
    "loopback": "this machine",
}
"""What a source of URLs is called."""

_LAYERS = ("pod", "loopback")


@dataclass(frozen=True)
class Row:
    """What both sides met at one URL.

    Attributes
    ----------
    source
        A key of `WAYS`.
    base
        The URL without the slug.
    port
        Where it leads to.
    kernel, browser
        What was found from there; None where nobody has asked yet.
    """

    source: str
    base: str
    port: int
    kernel: Finding | None = None
    browser: Finding | None = None

    @property
    def finding(self) -> Finding | None:
        """What counts: the browser's word, unless it is vague and the kernel knows better."""
        if self.browser is None or (self.browser.vague and self.kernel and self._kernel_knows):
            return self.kernel
        return self.browser

    @property
    def _kernel_knows(self) -> bool:
        return not isinstance(self.kernel, Ours)

    def as_dict(self) -> dict[str, Any]:
        """Return the same as plain values for JSON."""
        plain = {"source": self.source, "way": WAYS[self.source], "base": self.base}
        return {
            **plain,
            "port": self.port,
            "kernel": None if self.kernel is None else self.kernel.as_dict(),
            "browser": None if self.browser is None else self.browser.as_dict(),
        }


@dataclass(frozen=True)
class Explanation:
    """What a cause means, and what to do about it: one sentence each."""

    meaning: str
    advice: str


@dataclass(frozen=True)
class Verdict:
    """Where this notebook's D-Tale is seen.

    Attributes
    ----------
    reachable
        Whether the user's browser gets there; None while that is not known.
    summary
        One line.
    meaning, advice
        Of the layer that is broken, or of the ingress where only another way works.
    rows
        Every URL with both sides' findings.
    aside
        What only a check need say: that the kernel does not get where the browser does.
    """

    reachable: bool | None
    summary: str
    meaning: str = ""
    advice: str = ""
    rows: tuple[Row, ...] = field(default=())
    aside: str = ""

    @property
    def asked(self) -> bool:
        """Whether anything was found, from whichever side."""
        return any(row.finding is not None for row in self.rows)

    @property
    def by_ingress(self) -> bool:
        """Whether a public URL is configured, so that the verdict is about it."""
        return any(row.source == "ingress" for row in self.rows)

    @property
    def glyph(self) -> str:
        """Shape that stands before the summary."""
        return {True: "✓", False: "✗", None: "?"}[self.reachable]

    def as_dict(self) -> dict[str, Any]:
        """Return the same as plain values for JSON."""
        return {
            "reachable": self.reachable,
            "glyph": self.glyph,
            "summary": self.summary,
            "meaning": self.meaning,
            "advice": self.advice,
            "aside": self.aside,
            "rows": [row.as_dict() for row in self.rows],
        }


def judge(rows: Iterable[Row], *, running: bool = True, origin: str = "") -> Verdict:
    """Say where D-Tale is seen, and what is broken.

    Parameters
    ----------
    rows
        Best URL first.
    running
        Whether this notebook has a port at all.
    origin
        Of the page that told, if one has.
    """
    rows = tuple(rows)
    if not running:
        return Verdict(
            False,
            "D-Tale is not running in this notebook.",
            "Nothing listens, so there is nothing to reach.",
            "Start it with: %dtale df",
            rows,
        )
    outer = [row for row in rows if row.source not in _LAYERS]
    seen = next((row for row in rows if isinstance(row.browser, Ours)), None)
    asked = any(row.browser is not None for row in rows)
    ingress = next((row for row in rows if row.source == "ingress"), None)
    if seen is not None:
        summary = f"The browser reaches this notebook by {WAYS[seen.source]}: {seen.base}"
        if ingress is None or isinstance(ingress.browser, Ours):
            return Verdict(True, summary, rows=rows, aside=_only_browser(seen))
        return Verdict(True, summary, *_explained(ingress, origin), rows)
    first = next((row for row in outer if row.finding is not None), None)
    if first is None:
        return Verdict(
            None,
            "It is not known whether the browser reaches this notebook.",
            "No page with a panel has told, and no public URL is configured.",
            "Type %dtale in a notebook; on a cluster, set DTALE_INGRESS_URL.",
            rows,
        )
    if not asked:
        reached = isinstance(first.kernel, Ours)
        word = "reaches" if reached else "does not reach"
        summary = f"The kernel {word} this notebook by {WAYS[first.source]}: {first.base}"
        meaning, advice = _explained(first, origin)
        if reached:
            meaning, advice = (
                "No page has told yet what the browser sees.",
                "Open the panel: %dtale",
            )
        return Verdict(None, summary, meaning, advice, rows)
    summary = f"The browser does not reach this notebook: {first.base}: {first.finding}."
    return Verdict(False, summary, *_explained(first, origin), rows)


def _only_browser(row: Row) -> str:
    """Say why it is no matter that the kernel does not get where the browser does."""
    if row.kernel is None or isinstance(row.kernel, Ours) or row.source != "ingress":
        return ""
    why = "as the pod's egress policy or its DNS keeps it in"
    if isinstance(row.kernel, finding.BadCertificate):
        why = "as this machine does not trust the certificate, which the browser does"
    elif isinstance(row.kernel, finding.SignIn):
        why = "as it has not signed in there, which the browser has"
    return f"The kernel itself does not get there ({row.kernel}), {why}. Nothing is to be done."


def _explained(row: Row, origin: str) -> tuple[str, str]:
    one = explain(row, origin)
    return one.meaning, one.advice


def explain(row: Row, origin: str = "") -> Explanation:  # noqa: C901, PLR0912 (one arm for each cause)
    """Say what the finding of `row` means and what to do, where nothing better is reached."""
    port, by = row.port, WAYS[row.source]
    here = isinstance(row.kernel, Ours)
    match row.finding:
        case None:
            return Explanation("Nobody has asked there.", "Type: %dtale_port --check")
        case Ours():
            return Explanation("It leads to this notebook.", "Nothing is to be done.")
        case finding.AnotherNotebook(label=label):
            return Explanation(
                f"It leads to {label}, and not to this notebook.",
                f"Listen there as well: %dtale_port {port}",
            )
        case finding.OtherDtale():
            return Explanation(
                "It leads to a D-Tale of another pod, or of a kernel that has ended.",
                "Compare the Service's selector with this pod's labels.",
            )
        case finding.WrongPrefix(asked=asked, seen=seen):
            return Explanation(
                f"The proxy changes the path: {asked or '/'} arrives as {seen or '/'}, so that "
                "the page would miss its scripts.",
                "Set DTALE_INGRESS_URL to the path that browsers use; a proxy that strips it has "
                "to send it as X-Forwarded-Prefix.",
            )
        case finding.NoRoute() if row.source != "ingress":
            return Explanation(
                "The Jupyter server has no proxy for ports.",
                "Install jupyter-server-proxy where the server runs, and start the server again.",
            )
        case finding.NoRoute():
            return Explanation(
                "The ingress answers, and has no route for this host and path.",
                "Compare host, path and class of the Ingress with the URL: kubectl get ingress",
            )
        case finding.BadGateway():
            return Explanation(
                "The proxy reaches the pod, where nothing listens on the port that it asks.",
                f"Show a frame on port {port} with %dtale_port --take; the Service's target port "
                f"has to be {port}.",
            )
        case finding.Unavailable():
            return Explanation(
                "The ingress has a route and no backend for it.",
                "Compare the Service's selector and port with the pod: kubectl get endpointslices",
            )
        case finding.GatewayTimeout():
            return Explanation(
                "The proxy gets no answer from the pod: a NetworkPolicy drops the connection.",
                f"Admit the ingress controller's namespace to port {port} in the NetworkPolicy.",
            )
        case finding.SignIn() if _is_another_site(row.base, origin):
            return Explanation(
                "Who asks there has to sign in first, and browsers send no cookies to another site "
                "in a frame.",
                "Open the link in a tab and sign in; to show here, the ingress has to be on the "
                f"site of {urlsplit(origin).hostname}.",
            )
        case finding.SignIn():
            return Explanation(
                "Who asks there has to sign in first.",
                "Open the link in a tab and sign in, then check again.",
            )
        case finding.SomethingElse() | finding.Answers() if here:
            return Explanation(
                "The kernel gets there, and the page meets something else: a sign-in, or a proxy "
                "between browser and ingress.",
                "Open the link in a tab and see what answers.",
            )
        case finding.SomethingElse() | finding.Answers():
            return Explanation(
                f"A server that is not D-Tale answers by {by}.",
                f"Type %dtale_port to see who has port {port}, the Service's target port.",
            )
        case finding.BadCertificate():
            return Explanation(
                "The TLS certificate of the ingress does not vouch for this name.",
                "Give the Ingress a Secret whose certificate covers the host.",
            )
        case finding.MixedContent():
            return Explanation(
                "Browsers show nothing by http inside an https page.",
                "Give the ingress TLS and set DTALE_INGRESS_URL to https://…",
            )
        case finding.NameNotFound(host=host):
            return Explanation(
                f"There is no DNS entry for {host}.",
                "Point the name, or a wildcard above it, at the ingress controller.",
            )
        case finding.Refused():
            return Explanation(
                "Nothing listens at that address.",
                "Check host and port of the URL, and that the ingress controller runs.",
            )
        case finding.TimedOut():
            return Explanation(
                "Nothing answers there: a firewall or a NetworkPolicy drops it, or it is too slow.",
                f"Admit port {port} in the NetworkPolicy, and check the route to the ingress.",
            )
        case finding.NoConnection() if here:
            return Explanation(
                "The kernel gets there and the browser does not.",
                f"Open {_origin(row.base)} in a tab: the browser says whether name, certificate or "
                "network is the matter.",
            )
        case _:
            return Explanation(
                "There is no way to that address.",
                f"Open {_origin(row.base)} in a tab: the browser says whether name, certificate or "
                "network is the matter.",
            )


def _is_another_site(base: str, origin: str) -> bool:
    """Whether two names differ in their last two parts, by which browsers tell sites apart.

    Some sites share these, as below ``co.uk``; of them nothing is said.
    """
    sites = [(urlsplit(url).hostname or "").split(".")[-2:] for url in (base, origin)]
    named = all(len(site) > 1 and not site[-1].isdigit() for site in sites)
    return named and sites[0] != sites[1]


def _origin(base: str) -> str:
    parts = urlsplit(base)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else base
