"""The grid in a real browser: first paint and bytes, on a quick and on a slow link."""

from __future__ import annotations

import re
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from benchmarks.notebooks import (
    KINDS,
    MAGIC,
    PLAIN,
    SideBySide,
    notebook,
    numbers,
    one_of_each,
    turns,
)
from benchmarks.rows import Row, Sample
from benchmarks.slow_link import slow_link
from tests.support import plain_http
from tests.support.browser import Traffic, open_browser
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, BrowserContext

    from benchmarks.notebooks import Kind, Notebook, Plan

_HOSTS = {MAGIC: "ours.localhost", PLAIN: "plain.localhost"}
"""Browsers offer all codings to these names, as they do over HTTPS."""

_SLOW_HOSTS = {MAGIC: "slow-ours.localhost", PLAIN: "slow-plain.localhost"}

_PACK_SECONDS = 300.0
_MAKING_SECONDS = 5.0
"""That a user takes from the first cell to a frame; longer than D-Tale's import."""

_WATCH = """
const look = () => {
  const cells = document.querySelectorAll(".main-grid .cell, .ReactVirtualized__Grid .cell");
  if (cells.length > 20) requestAnimationFrame(() => { window.painted = performance.now(); });
  else requestAnimationFrame(look);
};
look();
"""

_PAINTED = """() => {
  const inside = window.painted ? null : frames[0]?.document; // the frame in the pod's page
  const cells = inside?.querySelectorAll(".main-grid .cell, .ReactVirtualized__Grid .cell") ?? [];
  return window.painted || (cells.length > 20 && performance.now());
}"""


class Visit(NamedTuple):
    """What a visit took."""

    seconds: float
    bytes: float
    static_bytes: float


def visit(context: BrowserContext, url: str) -> Visit:
    """Load a grid, or the pod's page, in a tab of its own."""
    page = context.new_page()
    traffic = Traffic(page)
    developer = context.new_cdp_session(page)
    developer.send("Network.enable")
    urls: dict[str, str] = {}
    sizes: dict[str, float] = {}

    def answered(event: dict[str, Any]) -> None:
        urls[event["requestId"]] = event["response"]["url"]

    def loaded(event: dict[str, Any]) -> None:
        sizes[event["requestId"]] = event["encodedDataLength"]

    developer.on("Network.responseReceived", answered)
    developer.on("Network.loadingFinished", loaded)
    page.add_init_script(_WATCH)
    page.goto(url, wait_until="commit")
    seconds = page.wait_for_function(_PAINTED, timeout=60_000).json_value() / 1000
    traffic.wait_until_idle()
    page.close()
    static = sum(size for one, size in sizes.items() if "/dtale/static/" in urls.get(one, ""))
    return Visit(seconds, sum(sizes.values()), static)


def _url(one: Notebook) -> str:
    parts = urlsplit(one.show())
    return parts._replace(netloc=f"{_HOSTS[one.kind]}:{parts.port}").geturl()


def _address(one: Notebook) -> str:
    if one.kind is MAGIC:
        return "127.0.0.1"
    return str(one.kernel.value("__import__('socket').gethostbyname(dtale.app.ACTIVE_HOST)"))


def wait_until_packed(url: str) -> None:
    """Wait for what a user's first kernel compresses, once for all others."""
    base = url.replace(_HOSTS[MAGIC], "127.0.0.1")
    (script,) = re.findall(r'src="([^"]*dtale_bundle\.js)"', plain_http.request(base).text)
    parts = urlsplit(base)._replace(path=script)

    def is_packed() -> bool:
        answer = plain_http.request(parts.geturl(), headers={"Accept-Encoding": "br"})
        return answer.headers.get("Content-Encoding") == "br"

    wait_until(is_packed, _PACK_SECONDS, every=1.0)


class SlowLinks:
    """Slow links, one for each port: the same port is the same origin for a browser."""

    def __init__(self, stack: ExitStack, addresses: dict[Kind, str]) -> None:
        self._stack = stack
        self._addresses = addresses
        self._ports: dict[int, int] = {}

    def url(self, kind: Kind, url: str) -> str:
        parts = urlsplit(url)
        port = parts.port or 80
        if port not in self._ports:
            link = slow_link(self._addresses[kind], port)
            self._ports[port] = self._stack.enter_context(link)
        return parts._replace(netloc=f"{_SLOW_HOSTS[kind]}:{self._ports[port]}").geturl()


def paint(plan: Plan) -> Iterator[Row]:
    with ExitStack() as stack:
        both = stack.enter_context(one_of_each(numbers(1000)))
        quick = {kind: _url(one) for kind, one in both.items()}
        addresses = {kind: _address(one) for kind, one in both.items()}
        wait_until_packed(quick[MAGIC])
        links = SlowLinks(stack, addresses)
        urls = {False: quick, True: {kind: links.url(kind, url) for kind, url in quick.items()}}
        hosts = {_HOSTS[kind]: address for kind, address in addresses.items()}
        hosts |= dict.fromkeys(_SLOW_HOSTS.values(), "127.0.0.1")
        rules = ", ".join(f"MAP {name} {address}" for name, address in hosts.items())
        browser = stack.enter_context(open_browser(f"--host-resolver-rules={rules}"))
        for kind in KINDS:  # the browser's own beginning is nobody's
            with browser.new_context() as context:
                visit(context, quick[kind])
        visits: dict[tuple[bool, bool, Kind], list[Visit]] = {}
        for kinds in turns(plan.rounds(4)):
            for slow in (False, True)[: plan.rounds(2)]:
                for kind in kinds:
                    with browser.new_context() as context:
                        for warm in (False, True):
                            one = visit(context, urls[slow][kind])
                            visits.setdefault((slow, warm, kind), []).append(one)
        yield from _rows(visits)
        yield from _firsts(plan, browser, addresses)


def _firsts(plan: Plan, browser: Browser, addresses: dict[Kind, str]) -> Iterator[Row]:
    """The first grid of a notebook, on a slow link: of a new user, and after a restart."""
    cells, paints, static = SideBySide(), SideBySide(), SideBySide()
    for kinds in turns(plan.rounds(3)):
        for kind in kinds:
            with ExitStack() as stack:
                links = SlowLinks(stack, addresses)
                one = stack.enter_context(notebook(kind))
                context = stack.enter_context(browser.new_context())
                if kind is MAGIC:
                    one.load()
                one.run(f"import time; time.sleep({_MAKING_SECONDS})")
                one.run(f"import numpy as np, pandas as pd\n{numbers(1000)}")
                shown = one.seconds_to_data()
                first = visit(context, links.url(kind, one.url()))
                cells[kind].append(shown + first.seconds)
                _restart(one)
                again = visit(context, links.url(kind, one.show()))
                paints[kind].append(again.seconds)
                static[kind].append(again.static_bytes)
    link = "10 Mbit/s, 50 ms"
    note = f"{_MAKING_SECONDS:.0f} s after the first cell"
    yield cells.row(f"from the cell to the first paint, {link}, cold cache", "s", 0.667, note=note)
    note = "wanted: half, which a slow browser's own time does not leave"
    yield paints.row(f"first paint, {link}, after a kernel's restart", "s", 0.7, note=note)
    yield static.row("bytes of static files, visit after a kernel's restart", "B", 0.2)


def _restart(one: Notebook) -> None:
    one.kernel.kill()
    one.kernel.restart()
    one.load()
    one.run(f"import numpy as np, pandas as pd\n{numbers(1000)}")


def _rows(visits: dict[tuple[bool, bool, Kind], list[Visit]]) -> Iterator[Row]:
    for slow, warm in dict.fromkeys((slow, warm) for slow, warm, _ in visits):
        link = "10 Mbit/s, 50 ms" if slow else "loopback"
        cache = "warm" if warm else "cold"
        ours, plain = (Sample.of(one.seconds for one in visits[slow, warm, kind]) for kind in KINDS)
        note = "wanted: half; see the next row but one" if slow and not warm else ""
        yield Row(f"first paint, {link}, {cache} cache", "s", ours, plain, 1.05, note=note)
        if slow and warm:
            cold = Sample.of(one.seconds for one in visits[slow, False, PLAIN])
            what = f"plain D-Tale's first paint, {link}, {cache} cache"
            note = "so much is left where no file is fetched at all"
            yield Row(what, "s", plain, cold, beside="its cold cache", note=note)
    for warm in (False, True):
        ours, plain = (Sample.of(one.bytes for one in visits[False, warm, kind]) for kind in KINDS)
        which = "repeated" if warm else "first"
        yield Row(f"bytes, {which} visit", "B", ours, plain, 0.2 if warm else 1.05)
    ours, plain = (
        Sample.of(one.static_bytes for one in visits[False, True, kind]) for kind in KINDS
    )
    yield Row("bytes of static files, repeated visit", "B", ours, plain, 0.2)
