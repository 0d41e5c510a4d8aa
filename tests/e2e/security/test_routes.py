"""Every route of the real D-Tale, asked by somebody without the link, and by foreign pages.

The routes are read off D-Tale when the test runs, so that an update of it cannot open a hole.
"""

from __future__ import annotations

import http.client
import itertools
import json
import re
import socket
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, urlsplit

import pytest

from tests.support import plain_http
from tests.support.kernels import Kernel
from tests.support.ports import PortClaims

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.support.kernels import StartKernel

METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND")

FOREIGN = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}
LINK = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
FRAME = {**LINK, "Sec-Fetch-Dest": "iframe"}

PAGES = {
    "/",
    "/dtale",
    "/dtale/calculation/<calc_type>",
    "/dtale/charts/",
    "/dtale/charts/<path:path>",
    "/dtale/code-popup",
    "/dtale/iframe",
    "/dtale/iframe/<data_id>",
    "/dtale/iframe/popup/<popup_type>",
    "/dtale/iframe/popup/<popup_type>/<data_id>",
    "/dtale/main",
    "/dtale/main/<data_id>",
    "/dtale/main/name/<data_name>",
    "/dtale/network",
    "/dtale/network/<data_id>",
    "/dtale/popup/<popup_type>",
    "/dtale/popup/<popup_type>/<data_id>",
}
"""What a link on another site may lead to: it shows something and changes nothing."""


class Route(NamedTuple):
    """One of D-Tale's routes, with a path that matches it."""

    rule: str
    endpoint: str
    path: str
    methods: frozenset[str]


@pytest.fixture(scope="module")
def kernel() -> Iterator[Kernel]:
    """A kernel whose connections a sibling accepts, and passes to it."""
    with PortClaims() as claims:
        ports = claims.take()
        with Kernel(ports) as one, Kernel(ports) as neighbour:
            for each in (one, neighbour):
                each.start()
                each.run("%load_ext dtale_magics\nimport pandas as pd\nimport dtale_magics")
                each.run("df = pd.DataFrame({'a': [3, 1, 2], 'text': ['x', 'y', 'z']})")
                each.run("%dtale df")
            one.run("from dtale_magics import session\nsession.current().is_busy = lambda: True")
            yield one


@pytest.fixture
def url(kernel: Kernel) -> str:
    """The kernel's URL with its slug, without a trailing slash."""
    return str(kernel.status()["url"]).rstrip("/")


@pytest.fixture(scope="module")
def routes(kernel: Kernel) -> list[Route]:
    code = (
        "[(r.rule, r.endpoint, sorted(r.methods))"
        " for r in dtale_magics.session.current().frames.viewer"
        ".app('/' + dtale_magics.session.current().slug).url_map.iter_rules()]"
    )
    kernel.run("import dtale_magics.session")
    found = [
        Route(rule, endpoint, _example(rule), frozenset(methods))
        for rule, endpoint, methods in kernel.value(code)
    ]
    assert len(found) > 90
    return found


def _example(rule: str) -> str:
    path = rule.replace("<data_id>", "1").replace("<col>", "a")
    return re.sub(r"<[^>]+>", "x", path)


def ask(
    url: str, method: str = "GET", headers: Mapping[str, str] | None = None, **more: Any
) -> Any:
    return plain_http.request(url, method, headers=headers, **more)


def test_without_the_link_every_route_and_method_gets_one_and_the_same_answer(
    url: str, routes: list[Route]
) -> None:
    base, slug = url.rsplit("/", 1)
    wrong = f"{slug[:-1]}{'0' if slug[-1] != '0' else '1'}"
    paths = [f"{start}{route.path}" for route in routes for start in ("", f"/{wrong}")]
    paths += ["/", f"/{wrong}", f"/{wrong}/_magics/state", "/_magics/state", f"//{wrong}/", "/%00"]
    answers = {"HEAD": set(), "": set()}  # type: ignore[var-annotated]
    for path, method in itertools.product(paths, METHODS):
        answer = ask(f"{base}{path}", method)
        headers = {**answer.headers, "Date": ""}
        key = "HEAD" if method == "HEAD" else ""
        answers[key].add((answer.status, answer.body, tuple(sorted(headers.items()))))
    assert len(answers[""]) == 1, answers[""]
    (plain,) = answers[""]
    (head,) = answers["HEAD"]
    assert plain[0] == head[0] == 404
    assert plain[2] == head[2]
    assert b"%dtale" in plain[1], "a person is told where the link is"
    assert len(plain[1]) < 500
    told = repr(plain).lower()
    for name in ("werkzeug", "flask", "python", "notebook.ipynb", "df", kernel_words(slug)):
        assert name not in told, name


def kernel_words(slug: str) -> str:
    return slug.rpartition("-")[2]


def test_with_the_link_every_route_reaches_dtale(url: str, routes: list[Route]) -> None:
    missing = []
    for route in routes:
        if route.path == "/shutdown":  # ours; another test asks it
            continue
        for method in sorted(route.methods & {"GET", "POST"}):
            try:
                answer = ask(f"{url}{route.path}", method)
            except (OSError, http.client.HTTPException) as error:
                missing.append((route.path, method, repr(error)))
                continue
            if answer.status == 404 and b"without the full link" in answer.body:
                missing.append((route.path, method, "the guard's answer"))
            ours = b"allowed_hosts" in answer.body or b"another site" in answer.body
            assert not ours, (route.path, method, answer.text)
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Referrer-Policy"] == "no-referrer"
            assert answer.headers["Content-Security-Policy"].startswith("frame-ancestors 'self' ")
            assert b"Traceback (most recent call last)" not in answer.body, route.path
            assert b'File "' not in answer.body, route.path
    assert not missing


def test_a_foreign_page_can_make_a_browser_open_pages_and_nothing_else(
    url: str, routes: list[Route]
) -> None:
    for route in routes:
        if route.path == "/shutdown":
            continue
        for headers in (FOREIGN, LINK, FRAME, {"Origin": "http://evil.example"}):
            for method in sorted(route.methods & {"GET", "POST"}):
                page = route.rule in PAGES or "_dash_assets" in route.endpoint
                if headers in (LINK, FRAME) and method == "GET" and page:
                    continue
                answer = ask(f"{url}{route.path}", method, headers)
                assert answer.status == 403, (route.rule, method, headers)
    for path in ("/dtale/main/1", "/dtale/iframe/1", "/", "/dtale/popup/describe/1"):
        for headers in (LINK, FRAME, {"Sec-Fetch-Site": "none"}, {"Sec-Fetch-Site": "same-origin"}):
            assert ask(f"{url}{path}", headers=headers).status in {200, 302}, (path, headers)
    assert ask(f"{url}/shutdown", headers=LINK).status == 403
    assert ask(f"{url}/dtale/main/1").status == 200, "and it still serves"


def test_the_origin_is_ours_where_a_browser_says_no_more_than_that(url: str) -> None:
    port = urlsplit(url).port
    rows = f"{url}/dtale/data/1?ids=%5B%220%22%5D"
    assert ask(rows, headers={"Origin": f"http://127.0.0.1:{port}"}).status == 200
    for origin in (
        f"http://localhost:{port}",
        "null",
        "http://127.0.0.1:1",
        "file://",
        "x",
        "\xe9",
        f"http://127.0.0.1[::1]:{port}",
        "http://[::1",
        "http://]",
    ):
        assert ask(rows, headers={"Origin": origin}).status == 403, origin


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:40000", 200),
        ("localhost", 200),
        ("[::1]:40000", 200),
        ("10.1.2.3", 200),
        ("jupyter-ada:40000", 200),
        ("app.localhost:1", 200),
        ("evil.example", 403),
        ("evil.example:40000", 403),
        ("127.0.0.1.evil.example", 403),
        ("localhost.evil.example", 403),
        ("localhost, evil.example", 403),
        ("127.0.0.1@evil.example", 403),
        ("evil.example/.localhost", 403),
        ("", 403),
    ],
)
def test_a_name_that_somebody_else_points_here_gets_nothing(
    url: str, host: str, status: int
) -> None:
    answer = ask(f"{url}/dtale/main/1", headers={"Host": host})
    assert answer.status == status
    if status == 403:
        assert "allowed_hosts" in answer.text
    outsider = ask(f"{url.rpartition('/')[0]}/", headers={"Host": host})
    assert outsider.status == 404
    assert "allowed_hosts" not in outsider.text


def test_a_configured_name_is_known_at_once(kernel: Kernel, url: str) -> None:
    headers = {"Host": "dtale.example.org"}
    assert ask(f"{url}/dtale/main/1", headers=headers).status == 403
    kernel.run("%config DtaleMagics.allowed_hosts = ['dtale.example.org']")
    try:
        answer = ask(f"{url}/dtale/main/1", headers=headers)
        assert answer.status == 200
        assert " dtale.example.org:*" in answer.headers["Content-Security-Policy"]
    finally:
        kernel.run("%config DtaleMagics.allowed_hosts = None")


def test_the_page_that_has_the_panel_may_show_the_grid(url: str) -> None:
    origin = "https://lab.example.org"
    page = f"{url}/dtale/iframe/1"
    assert origin not in ask(page).headers["Content-Security-Policy"]
    # Without the header that a foreign page cannot send, nobody is believed.
    ask(page, headers={"Origin": origin})
    ask(f"{url}/_magics/state", headers={"Origin": origin})
    ask(
        f"{url}/_magics/state",
        "OPTIONS",
        {"Origin": origin, "Access-Control-Request-Headers": "x-dtale-magics"},
    )
    assert origin not in ask(page).headers["Content-Security-Policy"]
    told = ask(f"{url}/_magics/state", headers={"Origin": origin, "X-Dtale-Magics": "1"})
    assert told.status == 200
    assert ask(page).headers["Content-Security-Policy"].endswith(f" {origin}")
    odd = {"Origin": "https://x; script-src *", "X-Dtale-Magics": "1"}
    ask(f"{url}/_magics/state", headers=odd)
    assert "script-src" not in ask(page).headers["Content-Security-Policy"]


def test_forwarded_prefixes_are_believed_of_trusted_proxies_alone(kernel: Kernel, url: str) -> None:
    port = urlsplit(url).port
    headers = {"X-Forwarded-Prefix": f"/proxy/{port}"}
    page = f"{url}/dtale/main/1"
    assert f'"/proxy/{port}/' in ask(page, headers=headers).text
    for forged in ("/evil", f"/proxy/{port}/../evil", '/"><script>', "//evil.example"):
        answer = ask(page, headers={"X-Forwarded-Prefix": forged})
        assert answer.status == 200
        assert "evil" not in answer.text
        assert "/proxy/" not in answer.text
    kernel.run("%config DtaleMagics.trusted_proxies = ['192.0.2.0/24']")
    try:
        assert "/proxy/" not in ask(page, headers=headers).text
    finally:
        kernel.run("%config DtaleMagics.trusted_proxies = None")


# ------------------------------------------------------------------ no code, no tracebacks


CODE = (
    "`a`.to_csv('{file}')",
    "a.to_csv('{file}') == 1",
    "`text`.map(a.to_csv('{file}'))",
    "`a` == @pd.read_csv('{file}')",
    "`a` == 1 or `text`.str.cat(`a`.to_csv('{file}'))",
    "'''`''' == a.to_csv('{file}') or '''`''' == text",
    "`a` == 1 # `\n or a.to_csv('{file}')",
)


def _type_chart_query(url: str, query: str) -> plain_http.Response:
    """Send what the page of the charts sends when a query is typed."""
    charts = {
        "output": "..query-data.data...query-input.style...query-input.title...load-input.marks..",
        "outputs": [
            {"id": "query-data", "property": "data"},
            {"id": "query-input", "property": "style"},
            {"id": "query-input", "property": "title"},
            {"id": "load-input", "property": "marks"},
        ],
        "inputs": [{"id": "query-input", "property": "value", "value": query}],
        "changedPropIds": ["query-input.value"],
        "state": [
            {"id": "query-data", "property": "data", "value": ""},
            {"id": "load-input", "property": "marks", "value": {}},
            {"id": "data-tabs", "property": "value", "value": "1"},
        ],
    }
    return plain_http.request(
        f"{url}/dtale/charts/_dash-update-component",
        "POST",
        headers={"Content-Type": "application/json"},
        body=json.dumps(charts).encode(),
    )


@pytest.mark.parametrize("query", CODE)
def test_nobody_runs_code_by_a_filter_even_with_the_link(
    kernel: Kernel, url: str, query: str
) -> None:
    file = kernel.directory / "written-by-a-filter"
    query = query.replace("{file}", str(file))
    setting = {"a": {"query": query}}
    attempts = [
        f"update-settings/1?settings={quote(json.dumps({'columnFilters': setting}))}",
        f"update-settings/1?settings={quote(json.dumps({'outlierFilters': setting}))}",
        f"update-settings/1?settings={quote(json.dumps({'enable_web_uploads': True}))}",
        f"update-settings/1?settings={quote(json.dumps({'query': query}))}",
        "save-column-filter/1?col=a&cfg=" + quote(json.dumps({"type": "outliers", "query": query})),
        f"test-filter/1?query={quote(query)}&save=true",
        f"chart-data/1?x=a&y=%5B%22a%22%5D&query={quote(query)}",
    ]
    try:
        for attempt in attempts:
            ask(f"{url}/dtale/{attempt}")
            answer = ask(f"{url}/dtale/data/1?ids=%5B%220-2%22%5D")
            assert answer.status == 200
        answer = _type_chart_query(url, query)
        assert answer.status == 200, answer.text
        assert re.search("Custom filters are off|cannot read this filter", answer.text)
        assert not file.exists()
    finally:
        ask(f"{url}/dtale/save-column-filter/1?col=a&cfg={quote(json.dumps({'type': 'outliers'}))}")
    assert len(plain_http.grid(f"{url}/dtale/main/1")) == 3


def test_what_dtales_own_menus_do_with_filters_works(url: str) -> None:
    def cfg(**fields: Any) -> str:
        return quote(json.dumps(fields))

    saved = ask(
        f"{url}/dtale/save-column-filter/1?col=a&cfg={cfg(type='int', value=['3'], operand='=')}"
    )
    assert saved.json()["success"], saved.text
    assert [row["text"] for row in plain_http.grid(f"{url}/dtale/main/1")] == ["x"]
    text = ask(
        f"{url}/dtale/save-column-filter/1?col=text&cfg="
        + cfg(type="string", action="contains", raw='it\'s "x"', operand="ne", value=[])
    )
    assert text.json()["success"], text.text
    assert [row["text"] for row in plain_http.grid(f"{url}/dtale/main/1")] == ["x"]
    # The page drops a filter by sending those that stay.
    kept = quote(json.dumps({"columnFilters": {"a": saved.json()["currFilters"]["a"]}}))
    assert ask(f"{url}/dtale/update-settings/1?settings={kept}").json()["success"]
    none = quote(json.dumps({"columnFilters": {}, "outlierFilters": {}, "query": ""}))
    assert ask(f"{url}/dtale/update-settings/1?settings={none}").json()["success"]
    assert len(plain_http.grid(f"{url}/dtale/main/1")) == 3


def test_values_of_every_kind_and_harmless_chart_queries_run(kernel: Kernel, url: str) -> None:
    for value in ("`", "it's `x`", "'''", '"""', "\\", "\n", "日本 #@{}"):
        cfg = {"type": "string", "action": "equals", "operand": "ne", "value": [value]}
        saved = ask(f"{url}/dtale/save-column-filter/1?col=text&cfg={quote(json.dumps(cfg))}")
        assert saved.json()["success"], value
        assert len(plain_http.grid(f"{url}/dtale/main/1")) == 3, value
    ask(f"{url}/dtale/save-column-filter/1?col=text&cfg={quote(json.dumps({**cfg, 'value': []}))}")
    for query in ("a % 2 == 0", "abs(a) < 9", "a >= a.mean()", "text.str.strip() != '-'", "-a < 0"):
        answer = _type_chart_query(url, query)
        assert answer.json()["response"]["query-data"]["data"] == query, answer.text
    code = "text.astype('str') != '-'"  # of the notebook's own it is not asked what it does
    assert "Custom filters are off" in _type_chart_query(url, code).text
    kernel.run(
        f"import dtale\ndtale.get_instance('1').notebook_charts(query={code!r}, x='a', y='a')"
    )
    assert _type_chart_query(url, code).json()["response"]["query-data"]["data"] == code
    assert "Custom filters are off" in _type_chart_query(url, f"{code} and a.map(print)").text


def test_an_error_keeps_its_message_and_loses_its_traceback(kernel: Kernel, url: str) -> None:
    answer = ask(f"{url}/dtale/describe/1?col=missing")
    assert "missing" in answer.json()["error"]
    assert answer.json()["traceback"] == ""
    for path in ("/nothing/here", "/dtale/data/999"):
        answer = ask(f"{url}{path}")
        assert answer.status == 404
        assert "Traceback" not in answer.text
    # What looks like one in the user's own data stays.
    kernel.run(
        "logs = pd.DataFrame({'traceback': ['Traceback (most recent call last)'], 'error': ['e']})"
    )
    kernel.run("%dtale logs")
    frame = next(one for one in kernel.status()["frames"] if one["name"] == "logs")
    assert plain_http.grid(frame["url"])[0]["traceback"].startswith("Traceback")
    kernel.run("%dtale --drop logs")


# ------------------------------------------------------------------ new links, open access


def test_a_new_link_makes_the_old_one_dead_at_once(kernel: Kernel, url: str) -> None:
    base, old = url.rsplit("/", 1)
    kernel.run("inst = %dtale df")
    shown = kernel.run("%dtale --new-link")
    new = str(kernel.status()["url"]).rstrip("/")
    assert new.rsplit("/", 1)[0] == base
    assert new != url
    assert new.rpartition("/")[2] not in shown.text, "an output is saved with the notebook"
    nothing = ask(f"{base}/")
    for path in ("", "/", "/dtale/main/1", "/_magics/state"):
        answer = ask(f"{url}{path}", headers={"X-Dtale-Magics": "1"})
        assert (answer.status, answer.body) == (404, nothing.body)
    page = ask(f"{new}/dtale/main/1")
    assert page.status == 200
    assert old not in page.text
    assert kernel.value("inst._main_url").startswith(f"{new}/dtale/main/")
    assert kernel.value("dtale_magics.session.current().frames.all()[0].url").startswith(new)
    assert len(plain_http.grid(f"{new}/dtale/main/1")) == 3


def test_open_access_is_for_those_who_say_so_and_the_panel_says_what_that_means(
    kernel: Kernel, url: str
) -> None:
    base = url.rpartition("/")[0]
    assert ask(f"{base}/dtale/main/1").status == 404
    kernel.run("%config DtaleMagics.open_access = True")
    try:
        assert re.search(r"_pod/\w+/page\.js", ask(f"{base}/", headers=LINK).text)  # the pod's page
        listed = ask(f"{base}/_pod/state").json()["notebooks"]
        assert kernel.status()["owner"] in [one["owner"] for one in listed]
        assert ask(f"{base}/dtale/main/1").status == 200
        assert "/dtale/static/" in ask(f"{base}/dtale/main/1").text
        assert len(plain_http.grid(f"{base}/dtale/main/1")) == 3
        for path in ("/shutdown", "/_magics/state"):
            assert ask(f"{base}{path}", headers={"X-Dtale-Magics": "1"}).status == 404
        assert ask(f"{base}/dtale/main/1", headers={"Host": "evil.example"}).status == 403
        assert ask(f"{base}/dtale/delete-col/1?col=a", headers=FOREIGN).status == 403
        forged = {"Host": "evil.example", "X-Forwarded-Prefix": f"/proxy/{urlsplit(url).port}"}
        assert ask(f"{base}/dtale/main/1", headers=forged).status == 403
        assert ask(f"{url}/dtale/main/1").status == 200
        kernel.run("%dtale", cell="one")
        assert "open access" in kernel.run("%dtale_port").text
        state = ask(f"{url}/_magics/state", headers={"X-Dtale-Magics": "1"})
        assert "without the link" in state.json()["warning"]
    finally:
        kernel.run("%config DtaleMagics.open_access = None")
    assert ask(f"{base}/dtale/main/1").status == 404


def test_a_dtale_with_known_holes_is_refused(start_kernel: StartKernel) -> None:
    """Its version is all that makes it old here: the real one would have to be installed."""
    kernel = start_kernel()
    kernel.run(
        "from importlib import metadata\nhere = metadata.version\n"
        "metadata.version = lambda name: '3.21.1' if name == 'dtale' else here(name)"
    )
    kernel.run("%load_ext dtale_magics")
    refused = kernel.run("%dtale {'a': [1]}", ok=False).text
    assert "D-Tale 3.21.1 lets whoever reaches it run code" in refused
    assert "pip install 'dtale>=3.22'" in refused
    assert kernel.status()["ports"] == []


def test_a_body_without_end_is_refused(url: str) -> None:
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname or "", parts.port or 0), 30) as client:
        head = f"POST {parts.path}/dtale/upload HTTP/1.1\r\nHost: {parts.netloc}\r\n"
        kind = "Content-Type: multipart/form-data; boundary=x\r\n"
        length = f"Content-Length: {256 * 2**20 + 1}\r\n\r\n"
        client.sendall(f"{head}{kind}{length}--x\r\n".encode())
        answer = client.makefile("rb").read()  # D-Tale passes its errors on as JSON
        assert b"413 Request Entity Too Large" in answer
