"""The pod's page beside its grid alone: first paint and bytes, on a quick and on a slow link."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from benchmarks.notebooks import MAGIC, notebook, numbers
from benchmarks.paint import SlowLinks, Visit, visit, wait_until_packed
from benchmarks.rows import Row, Sample
from tests.support.browser import open_browser

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.notebooks import Plan

_LINK = "10 Mbit/s, 50 ms"
_CAPABILITY = "__import__('dtale_magics.session').session.current().pages.capability.made()"


class _Case(NamedTuple):
    slow: bool
    warm: bool
    whole: bool
    """Whether it is the page, and not the grid alone."""

    def __str__(self) -> str:
        link = _LINK if self.slow else "loopback"
        return f"{link}, {'warm' if self.warm else 'cold'} cache"


def page(plan: Plan) -> Iterator[Row]:
    """Compare the page, which has the grid in it, to the grid."""
    visits: dict[_Case, list[Visit]] = {}
    with ExitStack() as stack:
        one = stack.enter_context(notebook(MAGIC))
        one.load()
        one.run(f"import numpy as np, pandas as pd\n{numbers(1000)}")
        grid = one.show()
        parts = urlsplit(grid)
        whole = parts._replace(path=f"/{one.kernel.value(_CAPABILITY)}/", query="").geturl()
        wait_until_packed(grid)
        links = SlowLinks(stack, {MAGIC: "127.0.0.1"})
        urls = {(False, False): grid, (False, True): whole}
        urls |= {(True, which): links.url(MAGIC, url) for (_, which), url in urls.items()}
        rule = "MAP slow-ours.localhost 127.0.0.1"
        browser = stack.enter_context(open_browser(f"--host-resolver-rules={rule}"))
        with browser.new_context() as context:  # the browser's own beginning is nobody's
            visit(context, grid)
        for turn in range(plan.rounds(4)):
            for (slow, which), url in sorted(urls.items(), reverse=bool(turn % 2)):
                with browser.new_context() as context:
                    for warm in (False, True):
                        case = _Case(slow, warm, which)
                        visits.setdefault(case, []).append(visit(context, url))
    for case in sorted(one for one in visits if one.whole):
        ours, alone = visits[case], visits[case._replace(whole=False)]
        seconds, of_grid = (Sample.of(one.seconds for one in some) for some in (ours, alone))
        name = f"the pod's page, first paint of its grid, {case}"
        yield Row(name, "s", seconds, of_grid, 1.35, beside="the grid alone")
        if not case.slow:
            size, of_grid = (Sample.of(one.bytes for one in some) for some in (ours, alone))
            name = f"the pod's page, bytes, {'repeated' if case.warm else 'first'} visit"
            yield Row(name, "B", size, of_grid, beside="the grid alone")
