"""The page's link and links that only look, from an attacker's side: two kernels on one port."""

from __future__ import annotations

import itertools
import json
import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, urlsplit

import pytest

from tests.support import plain_http
from tests.support.pages import Notebooks
from tests.support.ports import PortClaims

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.kernels import Kernel

METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND")
LOOKED = {"", "_pod/rows"}
"""What a link that only looks has, besides the page's files."""


class Stage(NamedTuple):
    """Two kernels, of which the other one accepts first, and the owner of the frame."""

    notebooks: Notebooks
    owner: Kernel
    other: Kernel
    base: str


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with PortClaims() as claims:
        ports = claims.take()
        with Notebooks(ports, ["train", "eda"], {}) as notebooks:
            owner, other = notebooks.kernels.values()
            owner.run("session.current().is_busy = lambda: True")
            yield Stage(notebooks, owner, other, f"http://127.0.0.1:{ports[0]}")


def share(kernel: Kernel, more: str = "") -> str:
    """First segment of a new link, as the magic tells it."""
    (slug,) = set(re.findall("look-[0-9a-f]{32}", kernel.run(f"%dtale --share df {more}").text))
    return str(slug)


def paths(kernel: Kernel) -> list[str]:
    """A path for each of the routes of D-Tale."""
    rules = kernel.value(
        "[r.rule for r in session.current().frames.viewer"
        ".app('/' + session.current().slug).url_map.iter_rules()]"
    )
    assert len(rules) > 90
    found = [rule.replace("<data_id>", "1").replace("<col>", "a").lstrip("/") for rule in rules]
    return sorted({re.sub(r"<[^>]+>", "x", one) for one in found})


def rows(base: str, slug: str, **wanted: Any) -> plain_http.Response:
    view = quote(json.dumps(wanted.pop("view", {})))
    query = f"first={wanted.pop('first', 0)}&count={wanted.pop('count', 10)}&view={view}"
    more = "".join(f"&{name}={value}" for name, value in wanted.items())
    return plain_http.request(f"{base}/{slug}/_pod/rows?{query}{more}")


def is_dead(base: str, slug: str) -> bool:
    """Whether everything below it gets what everybody gets, from whichever kernel accepts."""
    nobody = plain_http.request(f"{base}/nothing/").body
    for path in ("", "/", "/_pod/rows?first=0&count=1", "/_pod/state", "/dtale/main/1"):
        for _ in range(4):
            answer = plain_http.request(f"{base}/{slug}{path}")
            if (answer.status, answer.body) != (404, nobody):
                return False
    return True


def test_without_the_whole_capability_there_is_no_page(stage: Stage) -> None:
    capability = stage.notebooks.capability()
    nobody = plain_http.request(f"{stage.base}/nothing/")
    other = "0" if capability[-1] != "0" else "1"
    wrong = [f"{capability[:-1]}{other}", capability[:-1], capability[4:], capability.upper()]
    for segment, path, method in itertools.product(wrong, ("/", "/_pod/state", ""), METHODS):
        answer = plain_http.request(f"{stage.base}/{segment}{path}", method)
        assert (answer.status, answer.body) in {(404, nobody.body), (404, b"")}
    assert plain_http.request(f"{stage.base}/_pod/state").body == nobody.body
    for spelling in (f"x/../{capability}/", f"%2e/{capability}/", f"{capability}/../shutdown"):
        assert plain_http.request(f"{stage.base}/{spelling}").body == nobody.body


def test_the_page_has_no_foreign_script_and_stands_in_no_foreign_frame(stage: Stage) -> None:
    url = f"{stage.base}/{stage.notebooks.capability()}/"
    answer = plain_http.request(url)
    policy = answer.headers["Content-Security-Policy"]
    assert answer.status == 200
    assert "unsafe" not in f"{policy}{answer.text.split('<header')[0]}"
    socket_headers = plain_http.all_headers(url)
    policies = [value for name, value in socket_headers if name == "Content-Security-Policy"]
    assert any("default-src 'none'" in one and "frame-ancestors 'self'" in one for one in policies)
    assert ("Referrer-Policy", "no-referrer") in socket_headers
    foreign = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"}
    assert plain_http.request(f"{url}_pod/state", headers=foreign).status == 403
    # the page itself is not the notebook: its link does what the page does
    for path in ("dtale/main/1", "dtale/data/1?ids=[0]", "_magics/state", "shutdown"):
        assert plain_http.request(f"{url}{path}").status == 404


def test_the_page_reads_and_nothing_else(stage: Stage) -> None:
    url = f"{stage.base}/{stage.notebooks.capability()}/"
    for path, method in itertools.product(("", "_pod/state"), METHODS):
        expected = 200 if method in {"GET", "HEAD"} else 405
        assert plain_http.request(f"{url}{path}", method).status == expected


def test_a_link_that_only_looks_reaches_no_route_of_dtale(stage: Stage) -> None:
    slug = share(stage.owner)
    nobody = plain_http.request(f"{stage.base}/nothing/").body
    stage.owner.run("frames = session.current().frames")
    state = "[frames.data(one).to_dict('list') for one in frames.all()]"
    before = stage.owner.value(state)
    asked = [*paths(stage.owner), "_magics/state", "_magics/take", "shutdown", "_pod/state", "rows"]

    def ask(path: str, method: str) -> tuple[str, str, int, bytes]:
        answer = plain_http.request(f"{stage.base}/{slug}/{path}", method)
        return path, method, answer.status, answer.body

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda one: ask(*one), itertools.product(asked, METHODS)))
    wrong = [
        one for one in answers
        if one[0] not in LOOKED and (one[2] != 404 or one[3] not in {nobody, b""})
    ]  # fmt: skip
    assert wrong == []
    for path, method, status, _ in answers:
        if path in LOOKED and method not in {"GET", "HEAD"}:
            assert status == 404
    assert stage.owner.value(state) == before


def test_what_it_gives_is_the_frame_bounded_and_for_this_reader_alone(stage: Stage) -> None:
    slug = share(stage.owner)
    frame = stage.owner.status()["frames"][0]["url"]
    part = rows(stage.base, slug, view={"sort": [["a", True]], "filters": [["a", "> 1"]]})
    assert [row[0] for row in part.json()["rows"]] == [2, 3]
    assert [row["a"] for row in plain_http.grid(frame)] == [3, 1, 2]
    assert part.headers["Cache-Control"] == "no-store"
    wanted: tuple[dict[str, Any], ...] = (
        {"count": 201}, {"count": -1}, {"first": -1}, {"first": "x"}, {"export": "true"},
        {"query": "a>1"}, {"ids": "[0]"}, {"view": {"query": "a > 1"}}, {"view": []},
        {"view": {"filters": [["a", "x" * 300]]}},
    )  # fmt: skip
    for more in wanted:
        assert rows(stage.base, slug, **more).status == 404, more
    for typed in ("@session", "__import__('os').system('x')", "> a"):
        answer = rows(stage.base, slug, view={"filters": [["a", typed]]})
        assert answer.status == 400
    foreign = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"}
    url = f"{stage.base}/{slug}/_pod/rows?first=0&count=1"
    assert plain_http.request(url, headers=foreign).status == 403


def test_a_link_that_was_revoked_or_replaced_is_dead_in_every_kernel(stage: Stage) -> None:
    stage.owner.run("%dtale --links --revoke all")  # those of other tests
    first, second, third = (share(stage.owner) for _ in range(3))
    listed = stage.owner.run("%dtale --links").text
    number = next(line for line in listed.splitlines() if "df" in line).split()[0]
    assert first not in listed
    stage.owner.run(f"%dtale --links --revoke {number}")
    assert is_dead(stage.base, first)
    assert rows(stage.base, second).status == 200
    stage.owner.run("%dtale --links --revoke all")
    assert is_dead(stage.base, second)
    assert is_dead(stage.base, third)
    assert "No look-only link" in stage.owner.run("%dtale --links").text

    fourth = share(stage.owner)
    stage.owner.run("%dtale --new-link")
    assert is_dead(stage.base, fourth)


def test_a_link_expires_by_itself_in_every_kernel(stage: Stage) -> None:
    slug = share(stage.owner, "--for 3s")
    started = time.monotonic()
    while rows(stage.base, slug).status == 200:
        assert time.monotonic() < started + 60
        time.sleep(0.1)
    assert is_dead(stage.base, slug)


def test_a_frame_that_is_dropped_takes_its_links_with_it(stage: Stage) -> None:
    stage.owner.run("%dtale pd.DataFrame({'c': [1]}) --name brief")
    found = re.findall("look-[0-9a-f]{32}", stage.owner.run("%dtale --share brief").text)
    assert rows(stage.base, found[0]).json()["rows"] == [[1]]
    stage.owner.run("%dtale --drop brief")
    assert rows(stage.base, found[0]).status == 404
    assert stage.owner.status()["frames"][-1]["name"] == "df"


def test_what_is_typed_wrongly_is_refused_with_what_to_type(stage: Stage) -> None:
    for typed, hint in {
        "%dtale --share nothing": "There are: df",
        "%dtale --share df --for soon": "--for 8h",
        "%dtale --for 8h": "%dtale --share df --for 8h",
        "%dtale df --for 8h": "%dtale --share df --for 8h",
        "%dtale --revoke 1": "%dtale --links --revoke",
        "%dtale --links --revoke 99": "%dtale --links --revoke all",
        "%dtale --page df": "--page stands alone",
        "%dtale --new-link --page --share df": "stands alone",
    }.items():
        assert hint in stage.owner.run(typed, ok=False).traceback


def test_the_pages_link_is_replaced_at_once_in_every_kernel(stage: Stage) -> None:
    old = stage.notebooks.capability()
    said = stage.other.run("%dtale --page").text
    assert old not in said, "what a notebook shows is saved with it"
    stage.other.run("%dtale --new-link --page")
    new = stage.notebooks.capability()
    assert new != old
    assert is_dead(stage.base, old)
    for _ in range(8):
        assert plain_http.request(f"{stage.base}/{new}/").status == 200
    assert stage.notebooks.capability() == new


def test_the_command_line_tells_the_pages_link(stage: Stage) -> None:
    command = [sys.executable, "-m", "dtale_magics", "page"]
    environ = {**os.environ, **stage.notebooks.environ}
    said = subprocess.run(
        command, env=environ, capture_output=True, text=True, timeout=100, check=True
    ).stdout
    assert said.endswith(f"/{stage.notebooks.capability()}/\n")
    assert plain_http.request(f"{stage.base}{urlsplit(said.strip()).path}").status == 200


def test_with_open_access_the_root_is_the_page_of_what_is_open(stage: Stage) -> None:
    stage.owner.run("%config DtaleMagics.open_access = True\n%dtale_port --take")
    try:
        assert "notebooks.js" in plain_http.request(f"{stage.base}/").text
        state = plain_http.request(f"{stage.base}/_pod/state").json()
        names = [one["label"] for one in state["notebooks"]]
        assert names == [f"{stage.notebooks.names[0]}.ipynb"], "and of no other"
        (one,) = state["notebooks"]
        grid = f"{stage.base}/{state['root']}{one['slug']}/dtale/main/{one['frames'][0]['id']}"
        assert plain_http.request(grid.replace("/./", "/")).status == 200
        foreign = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"}
        assert plain_http.request(f"{stage.base}/_pod/state", headers=foreign).status == 403
    finally:
        stage.owner.run("%config DtaleMagics.open_access = False")
    assert plain_http.request(f"{stage.base}/_pod/state").status == 404
