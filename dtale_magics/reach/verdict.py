"""One verdict from what the kernel and the browser met: where D-Tale is seen, or why it is not.

These are pure functions of findings; nothing is probed here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dtale_magics.reach import causes
from dtale_magics.reach.causes import WAYS, Place
from dtale_magics.reach.finding import Explanation, Finding

if TYPE_CHECKING:
    from collections.abc import Iterable

_LAYERS = ("pod", "loopback")
_PROXIES = ("hub", "server", "page")


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
        The port that it leads to.
    kernel, browser
        What was found from there; None if nobody has asked yet.
    """

    source: str
    base: str
    port: int
    kernel: Finding | None = None
    browser: Finding | None = None

    @property
    def finding(self) -> Finding | None:
        """The finding that counts: the browser's, unless that is vague and the kernel's is not."""
        if self.browser is None:
            return self.kernel
        kernel_knows = self.kernel is not None and not self.kernel.is_ours
        return self.kernel if self.browser.cause.vague and kernel_knows else self.browser

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
class Verdict:
    """Where this notebook's D-Tale is seen.

    Attributes
    ----------
    reachable
        Whether the user's browser gets there; None while that is not known.
    summary
        One line.
    meaning, advice
        About the layer that is broken, or about the ingress if only another way works.
    rows
        Every URL with the findings of both sides.
    aside
        Remark that only a check shows: the kernel does not get where the browser does.
    """

    reachable: bool | None
    summary: str
    meaning: str = ""
    advice: str = ""
    rows: tuple[Row, ...] = field(default=())
    aside: str = ""

    @property
    def asked(self) -> bool:
        """Whether anything was found, from either side."""
        return any(row.finding is not None for row in self.rows)

    @property
    def by_ingress(self) -> bool:
        """Whether a public URL is configured, so that the verdict is about it."""
        return any(row.source == "ingress" for row in self.rows)

    @property
    def by_proxy(self) -> bool:
        """Whether a Jupyter server may lead here."""
        return any(row.source in _PROXIES for row in self.rows)

    @property
    def glyph(self) -> str:
        """Shape in front of the summary."""
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


def judge(
    rows: Iterable[Row], *, running: bool = True, origin: str = "", machine: str = ""
) -> Verdict:
    """Say where D-Tale is seen, and what is broken.

    Parameters
    ----------
    rows
        Best URL first.
    running
        Whether this notebook has a port at all.
    origin
        Origin of the page that reported, if one has.
    machine
        See `dtale_magics.reach.causes.Place`.
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
    seen = next((row for row in rows if _is_ours(row.browser)), None)
    asked = any(row.browser is not None for row in rows)
    ingress = next((row for row in rows if row.source == "ingress"), None)
    if seen is not None:
        summary = f"The browser reaches this notebook {WAYS[seen.source]}: {seen.base}"
        if ingress is None or _is_ours(ingress.browser):
            return Verdict(True, summary, rows=rows, aside=_only_browser(seen))
        return Verdict(True, summary, *_explained(ingress, origin, machine), rows)
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
        reached = _is_ours(first.kernel)
        word = "reaches" if reached else "does not reach"
        summary = f"The kernel {word} this notebook {WAYS[first.source]}: {first.base}"
        meaning, advice = _explained(first, origin, machine)
        if reached:
            meaning, advice = (
                "No page has told yet what the browser sees.",
                "Open the panel: %dtale",
            )
        return Verdict(None, summary, meaning, advice, rows)
    summary = f"The browser does not reach this notebook: {first.base}: {first.finding}."
    return Verdict(False, summary, *_explained(first, origin, machine), rows)


def _is_ours(found: Finding | None) -> bool:
    return found is not None and found.is_ours


def _only_browser(row: Row) -> str:
    """Explain why it is harmless that the kernel does not get where the browser does."""
    if row.kernel is None or _is_ours(row.kernel) or row.source != "ingress":
        return ""
    why = "as the pod's egress policy or its DNS keeps it in"
    if row.kernel.cause is causes.BAD_CERTIFICATE:
        why = "as this machine does not trust the certificate, which the browser does"
    elif row.kernel.cause is causes.SIGN_IN:
        why = "as it has not signed in there, which the browser has"
    return f"The kernel itself does not get there ({row.kernel}), {why}. Nothing is to be done."


def _explained(row: Row, origin: str, machine: str) -> tuple[str, str]:
    one = explain(row, origin, machine)
    return one.meaning, one.advice


def explain(row: Row, origin: str = "", machine: str = "") -> Explanation:
    """Say what the finding of `row` means and what to do, if nothing better is reached."""
    if row.finding is None:
        return Explanation("Nobody has asked there.", "Type: %dtale_port --check")
    reaches = row.kernel is not None and row.kernel.is_ours
    return row.finding.explain(Place(row.source, row.base, row.port, origin, reaches, machine))
