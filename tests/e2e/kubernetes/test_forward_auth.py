"""A sign-in before the raw ingress: Traefik asks a service about every request."""

from __future__ import annotations

import threading
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.cluster import ECHO_IPS, HOST, PREFIX, SLUG, pod_object, put_gateway

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.api_stub import ApiStub
    from tests.support.traefik_process import Traefik

SIGN_IN = "https://sign-in.example.org/"
SIGNED_IN = {"Cookie": "session=ada"}


class SignIn:
    """Lets requests pass that have Ada's session, and sends the others to the sign-in page."""

    def __init__(self) -> None:
        self.asked: list[dict[str, str]] = []
        told = self.asked

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                told.append({name.lower(): value for name, value in self.headers.items()})
                session = SimpleCookie(self.headers["Cookie"]).get("session")
                if session is not None and session.value == "ada":
                    self.send_response(200)
                    self.send_header("X-Auth-Request-User", "ada")
                elif "text/html" in self.headers.get("Accept", ""):
                    self.send_response(302)
                    self.send_header("Location", SIGN_IN)
                else:
                    self.send_response(401)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/verify"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join(5)
        self._server.server_close()


@pytest.fixture
def sign_in() -> Iterator[SignIn]:
    one = SignIn()
    yield one
    one.close()


@pytest.mark.parametrize(
    "options",
    [
        ("--route=ingressroute",),
        ("--route=ingressroute", f"--path={PREFIX}", "--strip"),
        ("--route=httproute", "--gateway=public"),
        ("--route=httproute", "--gateway=public", f"--path={PREFIX}", "--strip"),
    ],
    ids=["host", "path-stripped", "gateway", "gateway-path-stripped"],
)
def test_the_link_alone_does_not_do(  # noqa: PLR0913, PLR0917 (fixtures)
    options: tuple[str, ...],
    api: ApiStub,
    traefik: Traefik,
    dtale_pod: str,
    render: Any,
    sign_in: SignIn,
) -> None:
    put_gateway(api, traefik)
    documents = render(f"--host={HOST}", f"--forward-auth={sign_in.url}", *options)
    api.put(pod_object("ada", dtale_pod), *documents)
    prefix = PREFIX if "--strip" in options else ""
    page = f"{prefix}/{SLUG}/dtale/main/1"
    traefik.until_status(401, HOST, page)

    # A browser is sent to sign in; nothing of D-Tale comes before that, nor a sign that it exists.
    sent = traefik.get(HOST, page, headers={"Accept": "text/html"})
    assert (sent.status, sent.headers["Location"]) == (302, SIGN_IN)
    for path in (page, f"{prefix}/", f"{prefix}/{SLUG}/dtale/static/css/main.css"):
        assert traefik.get(HOST, path).status == 401
        assert traefik.get(HOST, path, headers={"Cookie": "session=eve"}).status == 401

    # Who has signed in needs the link as well.
    assert traefik.get(HOST, page, headers=SIGNED_IN).status == 200
    assert traefik.get(HOST, f"{prefix}/dtale/main/1", headers=SIGNED_IN).status == 404


def test_what_the_service_and_the_pod_hear_of_a_request(
    api: ApiStub, traefik: Traefik, dtale_pod: str, render: Any, sign_in: SignIn
) -> None:
    assert dtale_pod
    documents = render(f"--host={HOST}", "--route=ingressroute", f"--forward-auth={sign_in.url}")
    api.put(pod_object("ada", ECHO_IPS[0]), *documents)
    traefik.until_status(401, HOST, "/x")

    forged = {"X-Forwarded-Host": "mallory.example.org", "X-Forwarded-Uri": "/innocent"}
    headers = {**SIGNED_IN, **forged, "X-Auth-Request-User": "mallory"}
    answer = traefik.get(HOST, "/x?y=1", headers=headers)

    asked = sign_in.asked[-1]
    assert asked["x-forwarded-method"] == "GET"
    assert asked["x-forwarded-host"].partition(":")[0] == HOST
    assert asked["x-forwarded-uri"] == "/x?y=1"
    assert asked["cookie"] == SIGNED_IN["Cookie"]
    assert answer.json["path"] == "/x"
    # The service's answer goes no further than Traefik; the visitor's cookie does.
    assert answer.json["cookie"] == SIGNED_IN["Cookie"]
    assert answer.json["user"] == "mallory", "nobody may take this header for a sign-in"
