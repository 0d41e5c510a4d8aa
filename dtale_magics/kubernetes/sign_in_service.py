"""The Hub's own sign-in in front of D-Tale's ingress: it lets in a server's owner, and nobody else.

This is a service that the Hub runs (see `sign_in`). An ingress controller asks it about each
request:

1.  A browser without a session is sent to the Hub's host, where JupyterHub's own OAuth says who it
    is. If the host that it came for is one of that user's, it is sent back there with a ticket.
2.  The ticket becomes a cookie of that host. The browser sends it only to the host that it opens,
    so no other user's pod ever sees it.

Tickets and sessions are kept in this process alone. The service asks the Hub again and again about
a session's token, so logging out of the Hub ends the session, too.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import secrets
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from jupyterhub.services.auth import HubOAuth, HubOAuthCallbackHandler, HubOAuthenticated
from tornado.httpserver import HTTPServer
from tornado.web import Application, RequestHandler, authenticated

from dtale_magics.kubernetes import sign_in
from dtale_magics.kubernetes.options import Options
from dtale_magics.kubernetes.server import Server, addresses

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

TICKET = "dtale-ticket"
_TICKET_AT_END = re.compile(rf"[?&]{TICKET}=([\w-]+)$")
TICKET_SECONDS = 60.0
SESSION_SECONDS = 12 * 3600.0
HUB_SECONDS = 60
"""How long to believe the Hub that a token is valid, so how long a session outlives a log-out.

``DTALE_SIGN_IN_SECONDS`` overrides it.
"""

MAX_KEPT = 10_000
"""Maximum number of sessions, and of tickets, to keep; the oldest make room."""


@dataclass(frozen=True)
class Session:
    """One browser at one host."""

    host: str
    token: str = field(repr=False)
    hub_session: str = field(repr=False)
    until: float


class Sessions:
    """Who has signed in; the keys are random and have no meaning."""

    def __init__(self) -> None:
        self._sessions: dict[str, Session] = {}
        self._tickets: dict[str, Session] = {}

    def issue(self, host: str, token: str, hub_session: str) -> str:
        """Make a ticket: valid once, at that host, for a minute."""
        until = time.monotonic() + TICKET_SECONDS
        return _keep(self._tickets, Session(host, token, hub_session, until))

    def redeem(self, ticket: str, host: str) -> str | None:
        """Turn a ticket into a session and return its key."""
        found = self._tickets.pop(ticket, None)
        if found is None or found.host != host or found.until < time.monotonic():
            return None
        until = time.monotonic() + SESSION_SECONDS
        return _keep(self._sessions, Session(host, found.token, found.hub_session, until))

    def find(self, key: str, host: str) -> Session | None:
        """Find the session of a browser at a host."""
        found = self._sessions.get(key)
        if found is None or found.host != host or found.until < time.monotonic():
            return None
        return found

    def end(self, key: str) -> None:
        """Forget a session."""
        self._sessions.pop(key, None)


def _keep(kept: dict[str, Session], one: Session) -> str:
    while len(kept) >= MAX_KEPT:
        del kept[next(iter(kept))]
    key = secrets.token_urlsafe(32)
    kept[key] = one
    return key


@dataclass(frozen=True)
class Asked:
    """The request that an ingress controller asks about."""

    method: str
    host: str
    path: str

    @classmethod
    def by_traefik(cls, headers: Mapping[str, str]) -> Asked:
        """Read the headers that Traefik sets anew, whatever a visitor sent."""
        host, path = headers.get("X-Forwarded-Host", ""), headers.get("X-Forwarded-Uri", "")
        return cls(headers.get("X-Forwarded-Method", ""), _plain_host(host), path or "/")

    @classmethod
    def by_nginx(cls, headers: Mapping[str, str]) -> Asked:
        """Read the headers that nginx is configured to set anew."""
        parts = urlsplit(headers.get("X-Original-URL", ""))
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        return cls(headers.get("X-Original-Method", "GET"), _plain_host(parts.netloc), path or "/")


def _plain_host(text: str) -> str:
    return text.lower().partition(":")[0].rstrip(".")


class Verify(RequestHandler):
    """Says whether a request may pass; for the controller, at an address no browser reaches."""

    def initialize(self, desk: Desk, *, nginx: bool) -> None:
        """Take what `Desk.application` hands to each request."""
        self.desk = desk
        self.nginx = nginx

    async def get(self) -> None:
        """Let pass (200), send away to sign in (302), or refuse (401)."""
        self.set_header("Cache-Control", "no-store")
        headers = self.request.headers
        asked = Asked.by_nginx(headers) if self.nginx else Asked.by_traefik(headers)
        # A browser asks without cookies whether it may ask; D-Tale's answer has no data in it.
        if asked.method == "OPTIONS" and "Access-Control-Request-Method" in headers:
            return
        # The panel asks whose D-Tale is there before it shows a frame, in which a browser signs
        # in by itself. The answer tells nothing; on another site the frame could not sign in.
        if self.desk.asks_who.fullmatch(asked.path) and self.desk.is_near(headers):
            return
        key = self.get_cookie(self.desk.cookie, "") or ""
        if await self.desk.is_open(key, asked.host):
            return
        ticket = _TICKET_AT_END.search(asked.path)
        session = self.desk.sessions.redeem(ticket[1], asked.host) if ticket else None
        if session is not None:
            self.set_cookie(
                self.desk.cookie, session, path="/", httponly=True, samesite="Lax",
                secure=self.desk.secure,
            )  # fmt: skip
            if not self.nginx:
                # This keeps people from passing it on by copying the address.
                self.redirect(self.desk.url(asked.host, _TICKET_AT_END.sub("", asked.path)))
            return
        if not _is_navigation(asked, headers):
            self.set_status(401)
            return
        where = self.desk.start_url(asked.host, _TICKET_AT_END.sub("", asked.path))
        # nginx knows only yes and no; it takes from the answer where to send the browser.
        self.set_status(401 if self.nginx else 302)
        self.set_header("Location", where)


def _is_navigation(asked: Asked, headers: Mapping[str, str]) -> bool:
    mode = headers.get("Sec-Fetch-Mode")
    if mode is not None:
        return asked.method == "GET" and mode == "navigate"
    return asked.method == "GET" and "text/html" in headers.get("Accept", "")


class Start(HubOAuthenticated, RequestHandler):
    """Where a browser is sent to sign in, on the Hub's host."""

    def initialize(self, desk: Desk) -> None:
        """Take what `Desk.application` hands to each request."""
        self.desk = desk

    @authenticated
    async def get(self) -> None:
        """Send an owner back with a ticket, and tell anybody else why not."""
        self.set_header("Cache-Control", "no-store")
        wanted = urlsplit(self.get_argument("rd", ""))
        host = _plain_host(wanted.netloc)
        user, token = self.current_user, self.hub_auth.get_token(self)
        if host not in self.desk.hosts(user):
            # A server that was started since the Hub was last asked.
            user = await self.hub_auth.user_for_token(token, use_cache=False, sync=False)
        if user is None or host not in self.desk.hosts(user):
            name = self.current_user["name"]
            self.set_status(403)
            self.set_header("Content-Type", "text/plain; charset=utf-8")
            self.finish(f"You are {name} on this Hub, and {host or 'that address'} is not yours.\n")
            return
        ticket = self.desk.sessions.issue(host, token, self.hub_auth.get_session_id(self))
        path = (wanted.path or "/") + (f"?{wanted.query}" if wanted.query else "")
        joint = "&" if wanted.query else "?"
        self.redirect(self.desk.url(host, f"{path}{joint}{TICKET}={ticket}"))


class Desk:
    """What both sides share: sessions, the Hub, and which host is whose.

    Parameters
    ----------
    options
        The options of the hub's hook.
    auth
        JupyterHub's own helper, configured by the environment that the Hub gives its services.
    """

    def __init__(self, options: Options, auth: HubOAuth) -> None:
        self.options = options
        self.auth = auth
        self.sessions = Sessions()
        self.secure = options.public_scheme == "https"
        # A cookie with this prefix belongs to this host alone, not to one above it (RFC 6265bis).
        path = re.sub(r"\\\{[a-z]+\\\}", "[a-z0-9-]+", re.escape(options.path.rstrip("/")))
        self.asks_who = re.compile(rf"{path}/_magics/who/[0-9a-f.]+")
        self.cookie = "__Host-dtale-sign-in" if self.secure else "dtale-sign-in"

    def application(self) -> Application:
        """Build the web application."""
        prefix = re.escape(self.auth.base_url)
        return Application(
            [
                # Not below the prefix, so the Hub's proxy leads no browser there.
                ("/verify", Verify, {"desk": self, "nginx": False}),
                ("/verify/nginx", Verify, {"desk": self, "nginx": True}),
                (f"{prefix}start", Start, {"desk": self}),
                (f"{prefix}oauth_callback", HubOAuthCallbackHandler),
            ],
            cookie_secret=secrets.token_bytes(32),
        )

    def hosts(self, user: Mapping[str, Any]) -> frozenset[str]:
        """List the hosts of a user's servers; the default server's is always included."""
        names: Iterable[str] = {"", *user.get("servers", ())}
        servers = (Server(user["name"], name) for name in names)
        return frozenset(one.host for each in servers for one in addresses(self.options, each))

    def is_near(self, headers: Mapping[str, str]) -> bool:
        """Whether, according to the browser, the request comes from a page on the Hub's site."""
        site = headers.get("Sec-Fetch-Site")
        if site is not None:
            return site in {"same-origin", "same-site"}
        # Older browsers, and all of them over plain HTTP.
        hub = urlsplit(self.options.sign_in or "")
        return headers.get("Origin") == f"{hub.scheme}://{hub.netloc}"

    async def is_open(self, key: str, host: str) -> bool:
        """Whether a browser has a session at this host that the Hub still confirms."""
        session = self.sessions.find(key, host)
        if session is None:
            return False
        user = await self.auth.user_for_token(
            session.token, session_id=session.hub_session, sync=False
        )
        if user is None:
            self.sessions.end(key)
        return user is not None

    def url(self, host: str, path: str) -> str:
        """Build a URL of a user's host."""
        port = "" if self.options.public_port is None else f":{self.options.public_port}"
        return f"{self.options.public_scheme}://{host}{port}/{path.lstrip('/')}"

    def start_url(self, host: str, path: str) -> str:
        """Build the URL at which a browser begins to sign in."""
        assert self.options.sign_in is not None
        hub = urlsplit(self.options.sign_in)
        wanted = quote(self.url(host, path), safe="")
        return f"{hub.scheme}://{hub.netloc}{self.auth.base_url}start?rd={wanted}"


async def main() -> None:
    """Serve until the Hub ends this process."""
    options = Options.of(**json.loads(os.environ[sign_in.ENVIRONMENT]))
    seconds = int(os.environ.get("DTALE_SIGN_IN_SECONDS", HUB_SECONDS))
    auth = HubOAuth.instance(cache_max_age=seconds)
    server = HTTPServer(Desk(options, auth).application())
    url = urlsplit(os.environ["JUPYTERHUB_SERVICE_URL"])
    server.listen(url.port or sign_in.PORT, "127.0.0.1" if url.hostname == "127.0.0.1" else "")
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
