"""Every route of the real D-Tale in every spelling: the guard sees the path that D-Tale sees."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule

from dtale_magics.serving import request_path
from tests.support import plain_http
from tests.support.kernels import Kernel
from tests.support.ports import PortClaims

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.timeout(240)

SERVER = """
import threading, werkzeug.serving
app = lambda environ, start: (start("200 OK", []), [b"mine"])[1]
mine = werkzeug.serving.make_server("127.0.0.1", 0, app, threaded=True)
threading.Thread(target=mine.serve_forever, daemon=True).start()
"""
"""A server of the user's own in the same kernel: D-Tale's shutdown ends the first that it finds."""


class Answer(NamedTuple):
    status: int
    head: bytes
    body: bytes


@pytest.fixture(scope="module")
def kernel() -> Iterator[Kernel]:
    with PortClaims() as claims, Kernel(claims.take()) as one:
        one.start()
        one.run("%load_ext dtale_magics\nimport pandas as pd\nimport dtale_magics.session")
        one.run(SERVER)
        one.run("df = pd.DataFrame({'a': [3, 1, 2], 'text': ['x', 'y', 'z']})\n%dtale df")
        yield one


@pytest.fixture
def url(kernel: Kernel) -> str:
    """The kernel's URL with its slug, without a trailing slash."""
    return str(kernel.status()["url"]).rstrip("/")


@pytest.fixture(scope="module")
def paths(kernel: Kernel) -> list[str]:
    """One path for each of D-Tale's routes."""
    code = (
        "[r.rule for r in dtale_magics.session.current().frames.viewer"
        ".app('/' + dtale_magics.session.current().slug).url_map.iter_rules()]"
    )
    rules = kernel.value(code)
    assert len(rules) > 90
    return [_example(rule) for rule in rules]


def _example(rule: str) -> str:
    parts = rule.replace("<data_id>", "1").replace("<col>", "a").split("/")
    return "/".join("x" if part.startswith("<") else part for part in parts)


def _spellings(path: str) -> list[str]:
    """Spell `path`, which has at least one segment, in ways that some server takes for it."""
    first, _, rest = path.removeprefix("/").partition("/")
    tail = f"/{rest}" if rest else ""
    last = path.rpartition("/")
    return [
        f"/{path}",
        f"//{path}",
        f"/.{path}",
        f"/x/..{path}",
        f"/%2e{path}",
        f"/%2e%2e{path}",
        f"/%2f{first}{tail}",
        f"/%2F%2F{first}{tail}",
        f"/%252f{first}{tail}",
        f"/%5c{first}{tail}",
        f"/\\{first}{tail}",
        f"/x/..%2f{first}{tail}",
        f"/..;{path}",
        f"/;x{path}",
        f"{path};x",
        f"/{first};x=1{tail}",
        f"{path}/",
        f"{path}//",
        f"{path}/.",
        f"{path}%00",
        f"{path}%20",
        f"{path}%3f",
        f"{path}?x",
        f"{path}%23x",
        f"{path}#x",
        f"/%c0%af{first}{tail}",
        f"/%e0%80%af{first}{tail}",
        f"/%ff{path}",
        f"{last[0]}/{last[2].upper()}",
        f"{last[0]}/%{ord(last[2][:1] or ' '):02x}{last[2][1:]}",
        path.removeprefix("/"),
        f"*{path}",
        f"http://127.0.0.1{path}",
        f"http://127.0.0.1/{path}",
        f"http:{path}",
        f"http:///{path}",
        f"//127.0.0.1{path}",
        f"http://[{path}",
        f"http://u:p@127.0.0.1{path}",
    ]


def _ask(url: str, target: str, method: str = "GET", headers: str = "") -> Answer:
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname or "", parts.port or 0), 30) as client:
        head = f"{method} {target} HTTP/1.1\r\nHost: {parts.netloc}\r\n{headers}\r\n"
        client.sendall(head.encode("latin-1"))
        answer = client.makefile("rb").read()
    head_bytes, _, body = answer.partition(b"\r\n\r\n")
    lines = [line for line in head_bytes.split(b"\r\n") if not line.startswith(b"Date:")]
    assert lines[0].startswith(b"HTTP/1."), (target, answer[:100])
    return Answer(int(lines[0].split()[1]), b"\r\n".join(lines), body)


def _nothing_happened(kernel: Kernel) -> None:
    assert kernel.value("len(__import__('dtale').global_state.keys())") >= 1
    assert kernel.value("__import__('dtale').get_instance('1').data.shape") == [3, 2]
    own = kernel.value("mine.server_port")
    assert plain_http.request(f"http://127.0.0.1:{own}/").body == b"mine", "the user's own server"


def test_without_the_link_every_spelling_gets_the_one_answer(
    kernel: Kernel, url: str, paths: list[str]
) -> None:
    base, slug = url.rsplit("/", 1)
    port = urlsplit(url).port
    wrong = f"{slug[:-1]}{'0' if slug[-1] != '0' else '1'}"
    nothing = _ask(base, "/")
    assert nothing.status == 404
    targets = [spelled for path in paths if path != "/" for spelled in _spellings(path)]
    targets += _spellings(f"/{wrong}/dtale/main/1") + _spellings(f"/{slug[:-1]}/dtale/main/1")
    targets += _spellings(f"/proxy/{port}/shutdown") + _spellings("/_magics/state")
    targets += [f"/{slug}x", f"/{slug}%00/", f"/{slug};x/dtale/main/1", f"/{slug.upper()}X/"]
    targets += [f"/{slug}%2e/dtale/main/1", f"/..%2f{slug}/dtale/main/1", f"/%252f{slug}/"]
    stripped = f"X-Forwarded-Prefix: /proxy/{port}\r\n"
    for number, target in enumerate(targets):
        assert _ask(base, target, headers=stripped if number % 2 else "") == nothing, target
    for target in _spellings("/shutdown") + _spellings("/dtale/cleanup-datasets"):
        for method in ("POST", "OPTIONS", "CONNECT", "DELETE"):
            assert _ask(base, target, method) == nothing, (method, target)
    _nothing_happened(kernel)


def test_no_spelling_reaches_what_ends_dtale(kernel: Kernel, url: str) -> None:
    """With the link, and with `open_access`, behind a public prefix kept or stripped."""
    base, slug = url.rsplit("/", 1)
    port = urlsplit(url).port
    nothing = _ask(base, "/")
    kernel.run("%config DtaleMagics.open_access = True")
    try:
        for headers in ("", f"X-Forwarded-Prefix: /proxy/{port}\r\n"):
            for prefix in ("", f"/proxy/{port}", f"/proxy/{port}/"):
                spellings = {f"{prefix}{target}" for target in _spellings("/shutdown")}
                for spelled in sorted(spellings | {*_spellings(f"{prefix}/shutdown")}):
                    answer = _ask(base, spelled, headers=headers)
                    assert answer == nothing or answer.status >= 300, spelled
                    assert b"shutting down" not in answer.body, spelled
        _nothing_happened(kernel)
    finally:
        kernel.run("%config DtaleMagics.open_access = None")
    for prefix in ("", f"/proxy/{port}"):
        for target in (*_spellings("/shutdown"), *_spellings("/SHUTDOWN")):
            for spelled in (f"{prefix}/{slug}{target}", f"{prefix}//{slug}{target}"):
                answer = _ask(f"http://127.0.0.1:{port}", spelled)
                assert b"shutting down" not in answer.body, spelled
                if b"stops serving" in answer.body:  # ours: frames are kept
                    kernel.run("%dtale df")
                    port = kernel.status()["port"]
    _nothing_happened(kernel)


def test_two_slashes_are_one_for_who_has_the_link(kernel: Kernel, url: str) -> None:
    base, slug = url.rsplit("/", 1)
    for spelled in (
        f"/{slug}//dtale/main/1",
        f"//{slug}/dtale///main/1",
        f"/{slug}%2fdtale/main/1",
    ):
        assert b"dtale_bundle" in _ask(base, spelled).body, spelled
    encoded = "".join(f"%{ord(one):02x}" for one in slug)
    assert b"dtale_bundle" in _ask(base, f"/{encoded}/dtale/main/1").body
    assert b"stops serving" in _ask(base, f"/{slug}//shutdown").body
    kernel.run("%dtale df")
    _nothing_happened(kernel)


NASTY = [
    "a;b",
    "a%2fb",
    "50%",
    "é",
    "日本",
    "a b",
    "a?b#c",
    "a\\b",
    "&x=1",
    "a\nb",
    "'\"`",
    "<b>",
    "...",
]


def test_columns_of_every_name_are_served_as_by_dtale_itself(kernel: Kernel, url: str) -> None:
    kernel.run(f"nasty = pd.DataFrame({{name: [1, 2] for name in {NASTY!r}}})\n%dtale nasty")
    code = """
import json
from urllib.parse import quote
shown = [k for k in dtale.global_state.keys() if len(dtale.global_state.get_data(k).columns) == N]
plain = dtale.app.build_app(reaper_on=False).test_client()
""".replace("N", str(len(NASTY)))
    kernel.run("import dtale, dtale.app" + code)
    data_id = kernel.value("shown[0]")
    for kind in ("aggregations/{}/{}", "describe/{}?col={}", "column-filter-data/{}?col={}"):
        for name in [*NASTY, "a/b", "a//b"]:
            quoted = kernel.value(f"quote({name!r}, safe='')")
            path = f"/dtale/{kind.format(data_id, quoted)}"
            ours = _ask(url, f"{urlsplit(url).path}{path}")
            theirs = kernel.value(f"plain.get({path!r}).status_code")
            assert ours.status in {theirs, 404 if theirs in {308, 404} else theirs}, path
            if name in NASTY:
                assert ours.status == 200, path
                assert b'"success": *false'.replace(b" *", b"") not in ours.body, path
    kernel.run("%dtale --drop nasty")


ROUTES = Map([
    Rule("/shutdown", endpoint="shutdown"),
    Rule("/dtale/<data_id>", endpoint="data"),
    Rule("/", endpoint="root"),
])  # fmt: skip
PIECE = st.sampled_from(
    (
        "/",
        "//",
        ".",
        "..",
        "shutdown",
        "dtale",
        "1",
        ";",
        "\\",
        "%2f",
        "\0",
        "\xc3\xa9",
        "\xff",
        "?",
        " ",
    )
)


@given(st.lists(PIECE, max_size=9).map("".join))
def test_dtales_router_sees_what_the_rules_saw(path: str) -> None:
    """What is canonical stays so, and a router makes nothing else of it."""
    seen = request_path.canonical(path)
    if seen is None:
        return
    assert request_path.canonical(seen) == seen
    assert "//" not in seen
    assert seen.startswith("/")
    environ = {"PATH_INFO": path, "REQUEST_URI": path, "RAW_URI": path}
    request_path.set_path(environ, "/root", seen)
    assert environ == {"PATH_INFO": seen, "SCRIPT_NAME": "/root"}
    try:
        endpoint, _ = ROUTES.bind("x").match(seen.encode("latin-1").decode())
    except HTTPException:
        return
    assert (endpoint == "shutdown") == (seen == "/shutdown")
