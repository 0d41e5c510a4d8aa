"""What the guard makes of requests that no browser sends."""

from __future__ import annotations

import io
import random
from typing import TYPE_CHECKING, Any, cast

from dtale_magics.serving import guard
from dtale_magics.serving.assets import Assets
from dtale_magics.serving.transport.server import CONNECTION_KEY
from dtale_magics.serving.web import Web
from tests.support.repeats import repeats

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

INPUTS = repeats(20_000, 1_000_000)
SLUG = "eda-0123456789abcdef0123456789abcdef"
PREFIXES = ("/user/ada/proxy/40000", "/proxy/40000", "/dtale/ada")
POLICY = guard.Policy(PREFIXES, frozenset({"dtale.example.org"}))

PATHS = (
    "/",
    f"/{SLUG}/dtale/main/1",
    f"/{SLUG}/_magics/take",
    f"/{SLUG}/shutdown",
    f"/dtale/ada/{SLUG}/dtale/data/1",
    "/dtale/data/1",
    "/dtale/static/main.css",
    "/_magics/state",
    "/shutdown",
)
HEADERS = {
    "HTTP_HOST": "dtale.example.org:443",
    "HTTP_ORIGIN": "https://dtale.example.org",
    "HTTP_SEC_FETCH_SITE": "same-origin",
    "HTTP_SEC_FETCH_MODE": "navigate",
    "HTTP_SEC_FETCH_DEST": "iframe",
    "HTTP_X_FORWARDED_PREFIX": "/dtale/ada",
    "HTTP_X_FORWARDED_HOST": "dtale.example.org",
    "HTTP_X_DTALE_MAGICS": "1",
}
MAGIC = (SLUG, "/", "//", "/..", "%2f", "\\", ";", "\0", "[::1]", "@", ":", "é", "\xff\xfe", ".")


class Grid:
    """Stands where D-Tale would."""

    reached = 0

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        del environ
        self.reached += 1
        start_response("200 OK", [])
        return [b"data"]


class Client:
    """Calls the application as the server would."""

    def __init__(self) -> None:
        self.grid = Grid()
        self.web = Web(
            owner="0" * 16,
            slug=lambda: SLUG,
            mount=lambda _root, _prefix: cast("WSGIApplication", self.grid),
            policy=lambda: POLICY,
            outside=lambda _request: None,
            stop=lambda: None,
            actions=cast("WSGIApplication", self.grid),
            used=lambda: None,
            assets=Assets(),
        )
        self.admitted = 0
        self.untaken = False

    def admit(self) -> None:
        self.admitted += 1

    def ask(self, path: str, method: str, headers: dict[str, str]) -> tuple[Any, ...]:
        said: list[Any] = []
        environ = {
            "REQUEST_METHOD": method,
            "PATH_INFO": path,
            "QUERY_STRING": "",
            "SCRIPT_NAME": "",
            "SERVER_NAME": "x",
            "SERVER_PORT": "40000",
            "REMOTE_ADDR": "10.0.0.1",
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(),
            CONNECTION_KEY: self,
            **headers,
        }
        body = self.web(environ, lambda *answer: said.append(answer))  # type: ignore[arg-type]
        return (*said, b"".join(body) if method != "HEAD" else b"")


def _mutated(text: str, chance: random.Random) -> str:
    for _ in range(chance.randrange(4)):
        start = chance.randrange(len(text) + 1)
        match chance.randrange(4):
            case 0:
                text = text[:start] + chance.choice(MAGIC) + text[start:]
            case 1:
                text = text[:start] + text[start + chance.randrange(1, 9) :]
            case 2:
                text = text[:start] + chr(chance.randrange(256)) + text[start + 1 :]
            case _:
                text = text[start:] + text[:start]
    return text


def test_without_the_whole_capability_nothing_is_served_however_it_is_asked() -> None:
    chance, client = random.Random(5), Client()
    stranger = client.ask("/", "GET", {"HTTP_HOST": "dtale.example.org"})
    assert stranger[0][0].startswith("404")
    served = 0
    for _ in range(INPUTS):
        path = _mutated(chance.choice(PATHS), chance)
        names = chance.sample(list(HEADERS), chance.randrange(len(HEADERS)))
        headers = {name: _mutated(HEADERS[name], chance) for name in names}
        method = chance.choice(("GET", "POST", "PUT", "OPTIONS", "GET"))
        before = client.grid.reached, client.admitted
        answer = client.ask(path, method, headers)
        if SLUG in path.split("/"):
            served += client.grid.reached - before[0]
        else:
            assert (client.grid.reached, client.admitted) == before, path
            assert answer == stranger, path
    assert served > INPUTS // 1000, "the ways in were tried as well"
