"""What is known about the ways to a kernel's D-Tale: its own probes, and what pages report."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import threading
import time
from typing import TYPE_CHECKING, Any, Protocol

from dtale_magics import deadlines
from dtale_magics.errors import SettingError
from dtale_magics.reach import causes, finding, probe, public_urls, verdict
from dtale_magics.reach.verdict import Row, Verdict
from dtale_magics.serving import identity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from dtale_magics.reach.finding import Finding
    from dtale_magics.reach.public_urls import PublicUrl
    from dtale_magics.settings import Settings

_MAX_WAYS = 32
_MAX_BASE = 400


class Reachable(Protocol):
    """What has to be known about a session."""

    owner: str

    @property
    def port(self) -> int | None:
        """The port that URLs name."""

    @property
    def ports(self) -> tuple[int, ...]:
        """Every bound port."""

    def settings(self) -> Settings:
        """Return the settings that hold now."""


class Reachability:
    """Findings about one kernel, from both sides; safe to use from any thread.

    Findings hold for one *round*: as soon as a port that a URL leads to changes hands, they are
    forgotten.

    Parameters
    ----------
    session
        The session whose D-Tale it is.
    """

    def __init__(self, session: Reachable) -> None:
        self._session = session
        self._changed = threading.Condition()
        self._siblings: dict[str, tuple[str, tuple[int, ...]]] = {}
        self._round = ""
        self._kernel: dict[str, Finding] = {}
        self._browser: dict[str, Row] = {}
        self._origin = ""
        self._asked = 0
        self._told = 0
        self._probing = ""

    def urls(self) -> tuple[PublicUrl, ...]:
        """List the URLs that may lead here, best first; none if the settings are unusable."""
        try:
            now = self._session.settings()
        except SettingError:
            return ()
        named = self._session.port
        ports = [port for port in self._session.ports if port != named]
        return public_urls.candidates(now, [*([] if named is None else [named]), *ports])

    def know(self, kernels: Iterable[Mapping[str, Any]]) -> None:
        """Note which D-Tales there are in the pod, as `Session.kernels` lists them."""
        own = self._session.owner
        self._siblings = {
            str(one["owner"]): (str(one["label"]), tuple(one["ports"]))
            for one in kernels
            if one["owner"] != own and identity.is_owner(str(one["owner"]))
        }

    def links(self) -> dict[str, Any]:
        """Return what a page needs to probe by itself, without the capability."""
        urls = self.urls()
        with self._changed:
            return {
                "round": self._current_round(urls),
                "asked": self._asked,
                "ways": [url.as_dict() for url in urls],
                "others": {owner: label for owner, (label, _) in self._siblings.items()},
                "max_owners": identity.MAX_OWNERS,
                "protocol": identity.PROTOCOL,
                **causes.for_page(),
            }

    def told(self, text: str) -> None:
        """Record what a page found.

        Parameters
        ----------
        text
            JSON: ``round``, ``origin`` of the page, and ``found``. That is a list of objects with
            ``base`` and ``port``, from `links` or from the page's own knowledge, and a cause as
            `dtale_magics.reach.finding.read` takes it.

        Raises
        ------
        ValueError
            When it is anything else.
        """
        try:
            said = json.loads(text)
            rows = [_row(one) for one in said["found"][:_MAX_WAYS]]
            about, origin = str(said["round"]), str(said["origin"])[:_MAX_BASE]
        except (KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError("This is not what a page has found.") from error
        urls = self.urls()
        with self._changed:
            if about != self._current_round(urls):
                return  # found before the port changed hands
            found = {row.base: row for row in rows}
            if any(_cause(self._browser.get(base)) != _cause(row) for base, row in found.items()):
                self._probing = ""  # what changed for a page may have changed for the kernel
            self._browser.update(found)
            self._origin = origin
            self._told += 1
            self._changed.notify_all()

    def verdict(self) -> Verdict:
        """Judge by what is known now, without asking anybody."""
        urls = self.urls()
        with self._changed:
            self._current_round(urls)
            running = bool(self._session.ports)
            rows, machine = self._rows(urls), public_urls.machine_of_a_gateway()
            found = verdict.judge(rows, running=running, origin=self._origin, machine=machine)
        mistake = self._mistake()
        if mistake is None or not running:
            return found
        # This comes first, because everything else that is wrong may be due to it.
        return dataclasses.replace(found, meaning=mistake.what, advice=mistake.hint)

    def _mistake(self) -> SettingError | None:
        """Return what is wrong with a URL that was set; see `Settings.mistake`."""
        try:
            return self._session.settings().mistake
        except SettingError:
            return None

    def best_base(self) -> str | None:
        """Return the URL that most likely leads here, without the slug; None if only a local one.

        First come URLs that a page has confirmed, then those that this kernel has, then those that
        are configured.
        """
        urls = self.urls()
        with self._changed:
            self._current_round(urls)
            rows = list(self._rows(urls))
        ports = self._session.ports
        own = [row for row in rows if row.port in ports]
        outside = [row for row in own if row.source != "loopback"]
        likely = [
            *(row for row in own if row.browser is not None and row.browser.is_ours),
            *(row for row in outside if row.kernel is not None and row.kernel.is_ours),
            *(row for row in outside if row.source in {"ingress", "hub"}),
        ]
        return likely[0].base if likely else None

    def follow(self, changed: Callable[[], None]) -> None:
        """Let the kernel probe in the background, once per round."""
        with self._changed:
            now = self._current_round(self.urls())
            if self._probing == now or not self._session.ports:
                return
            self._probing = now

        def run() -> None:
            self._probe(self.urls(), changed)

        threading.Thread(target=run, name="dtale_magics check", daemon=True).start()

    def check(
        self,
        changed: Callable[[], None] = lambda: None,
        *,
        siblings: Callable[[float], Iterable[Mapping[str, Any]]] = lambda _: (),
        pages: bool = False,
        seconds: float = deadlines.CHECK,
    ) -> Verdict:
        """Probe from the kernel and, if there are panels, have their pages probe too.

        Parameters
        ----------
        changed
            Called, from this thread, whenever more is known.
        siblings
            Returns the other D-Tales of the pod; its argument is a time-out in seconds.
        pages
            Whether there is a page that will report.
        seconds
            How long it may take in all.
        """
        deadline = time.monotonic() + seconds
        kernels = siblings(deadlines.SIBLING_IN_TURN)
        with self._changed:
            self.know(kernels)
            self._asked += 1
            told = self._told
        changed()
        self._probe(self.urls(), changed, deadline - time.monotonic())
        if pages:
            with self._changed:
                left = max(0.0, deadline - time.monotonic())
                self._changed.wait_for(lambda: self._told > told, left)
        changed()
        return self.verdict()

    # ---------------------------------------------------------------- internal

    def _probe(
        self,
        urls: tuple[PublicUrl, ...],
        changed: Callable[[], None],
        seconds: float = deadlines.CHECK,
    ) -> None:
        others = {owner: label for owner, (label, _) in self._siblings.items()}
        with self._changed:
            about = self._current_round(urls)
        asked, questions = [], []
        for url in urls:
            base = url.kernel_base or url.base
            if base.startswith("http"):
                asked.append(url.base)
                question = probe.Question(base, self._session.owner, others, url.kernel_headers)
                questions.append(question)

        def found(index: int, one: Finding) -> None:
            with self._changed:
                if about == self._round:
                    self._kernel[asked[index]] = one
            changed()

        probe.ask_all(questions, min(seconds, deadlines.PROBE), found)

    def _rows(self, urls: Iterable[PublicUrl]) -> Iterable[Row]:
        known = set()
        own: list[Row] = []
        for url in urls:
            known.add(url.base)
            told = self._browser.get(url.base)
            browser = None if told is None else told.browser
            # The page has told which host its paths are on.
            base = f"{self._origin}{url.base}" if url.base.startswith("/") else url.base
            own.append(Row(url.source, base, url.port, self._kernel.get(url.base), browser))
        # A page knows its own server, even if the kernel does not.
        page = [row for base, row in self._browser.items() if base not in known]
        outer = [row for row in own if row.source == "ingress"]
        return [*outer, *page, *(row for row in own if row.source != "ingress")]

    def _current_round(self, urls: Iterable[PublicUrl]) -> str:
        """Name what the findings are about, and forget them when it has changed."""
        ports = [(url.base, url.port) for url in urls]
        # Only those siblings count that a URL may lead to instead of us.
        led_to = {port for _, port in ports} - set(self._session.ports)
        holders = sorted(
            owner for owner, (_, theirs) in self._siblings.items() if led_to.intersection(theirs)
        )
        about = repr((self._session.ports, ports, holders))
        now = hashlib.sha256(about.encode()).hexdigest()[:16]
        if now != self._round:
            self._round, self._kernel, self._browser = now, {}, {}
        return now


def _cause(row: Row | None) -> str:
    return "" if row is None or row.browser is None else row.browser.cause.name


def _row(said: Mapping[str, Any]) -> Row:
    base = str(said["base"])[:_MAX_BASE]
    return Row("page", base, int(said["port"]), None, finding.read(said))
