"""Everything that the kernel's server answers: the guard, then D-Tale below the kernel's slug.

D-Tale's own paths (``/dtale/main/1``) are the same in every kernel. So each kernel serves them
below an unguessable first segment, its slug: its URLs keep their meaning when a port changes hands,
and people who were not given the link get nothing.
"""

from __future__ import annotations

import collections
from typing import TYPE_CHECKING

from werkzeug.wrappers import Request, Response

from dtale_magics.serving import guard, identity, request_path
from dtale_magics.serving.transport.server import CONNECTION_KEY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from dtale_magics.serving.assets import Assets

_ACTIONS = "_magics/"
"""Segment after the slug in the paths of the panel's clicks; D-Tale has no such path."""

_PAGE = "_pod/"
"""Path of the files and the state of our own pages; D-Tale has no such path either."""

_SHUTDOWN = "/shutdown"
"""D-Tale's own handler would end the first Werkzeug server of the process and drop every frame."""

NOT_FOUND = b"There is nothing to see without the full link."
"""What every D-Tale with this extension says to those without the link."""

_NOT_FOUND = (
    b'<!doctype html><meta charset="utf-8"><title>Not found</title>\n<p>'
    + NOT_FOUND
    + b"""
It stands in the notebook, below the cell with <code>%dtale</code>; links of a notebook that was
restarted are dead.</p>
"""
)

_UNTAKEN = """\
The notebook that this link belongs to does not respond now: it is suspended, or computes without \
a pause, and answers again afterwards.
"""

_WRONG_HOST = """\
This notebook does not know the name by which it was asked. If the name is right, add it in the
notebook: %config DtaleMagics.allowed_hosts = ["the name"]
or for all notebooks by the environment variable DTALE_ALLOWED_HOSTS.
"""

_ELSEWHERE = "This was asked by a page of another site, which may open D-Tale's pages only.\n"

_SAFE_HEADERS = [("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "no-referrer")]

_MAX_NOTEBOOKS = 16
"""Maximum number of notebooks' origins to remember; the latest are kept."""


class Web:
    """The WSGI application of a kernel.

    Parameters
    ----------
    owner
        Random public id of the kernel, for those who ask whose D-Tale this is.
    slug
        Returns the kernel's own first path segment, which is also the capability.
    mount
        Returns D-Tale's WSGI application for the root under which a browser sees it, for example
        ``/user/ada/proxy/40000/<slug>``, and the public prefix in that root.
    policy
        Returns the rules that hold for requests now.
    outside
        Answers a request without the capability, or returns None for "not found".
    stop
        Called when somebody with the link asks D-Tale to shut down.
    actions
        Answers requests below ``/<slug>/_magics``: the panel's clicks.
    used
        Called for each request that D-Tale itself answers.
    assets
        D-Tale's static files, which all kernels serve below the same path.
    pages
        Returns the page below another first segment, which is a capability of its own, or None.
        For an empty segment, it returns the page for those who come without the link.
    """

    def __init__(  # noqa: PLR0913 (by keyword)
        self,
        *,
        owner: str,
        slug: Callable[[], str],
        mount: Callable[[str, str], WSGIApplication],
        policy: Callable[[], guard.Policy],
        outside: Callable[[Request], Response | None],
        stop: Callable[[], None],
        actions: WSGIApplication,
        used: Callable[[], None],
        assets: Assets,
        pages: Callable[[str], WSGIApplication | None] = lambda _: None,
    ) -> None:
        self._owner = owner
        self._slug = slug
        self._mount = mount
        self._policy = policy
        self._outside = outside
        self._stop = stop
        self._actions = actions
        self._used = used
        self._assets = assets
        self._pages = pages
        self._notebooks: collections.deque[str] = collections.deque(maxlen=_MAX_NOTEBOOKS)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request (PEP 3333)."""
        if environ[CONNECTION_KEY].untaken:
            answer = Response(_UNTAKEN, 503, {"Retry-After": "5"}, mimetype="text/plain")
            return answer(environ, _with(start_response, _SAFE_HEADERS))
        path = request_path.canonical(environ["PATH_INFO"])
        if path is None:
            return not_found()(environ, _with(start_response, _SAFE_HEADERS))
        request_path.set_path(environ, "", path)
        return self._answer(environ, start_response)

    def _answer(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        policy, slug = self._policy(), self._slug()
        prefix, path = guard.split_prefix(environ, policy)
        segment, slash, rest = path.removeprefix("/").partition("/")
        is_slug = guard.has_capability(segment, slug)
        page = None if is_slug or not segment else self._pages(segment)
        capable = is_slug or page is not None
        if capable:
            root = f"{prefix}/{segment}"
        elif guard.has_capability(segment, self._assets.token):
            request_path.set_path(environ, f"{prefix}/{segment}", f"/{rest}")
            return self._static_file(environ, start_response)
        else:
            who = identity.answer(environ, self._owner, prefix, path)
            answer = who or self._outside(Request(environ)) or self._closed(path, policy)
            if answer is not None:
                return answer(environ, _with(start_response, _SAFE_HEADERS))
            root, slash, rest = prefix, "/", path.removeprefix("/")
            page = self._pages("") if not rest or rest.startswith(_PAGE) else None
        environ[CONNECTION_KEY].admit()
        if is_slug:
            self._remember_notebook(guard.notebook_origins(environ))
        ancestors = guard.frame_ancestors(policy, tuple(self._notebooks))
        headers = [*_SAFE_HEADERS, ("Content-Security-Policy", ancestors)]
        start_response = _with(start_response, headers)
        refusal = _refusal(environ, policy, rest, capable=capable)
        if refusal is not None:
            return refusal(environ, start_response)
        if not slash:
            return Response(status=308, headers={"Location": f"{root}/"})(environ, start_response)
        if page is not None:
            request_path.set_path(environ, root, f"/{rest}")
            return page(environ, start_response)
        if f"/{rest}" == _SHUTDOWN:
            self._stop()
            return Response("D-Tale stops serving this notebook.\n")(environ, start_response)
        if rest.startswith(_ACTIONS):
            request_path.set_path(environ, "", f"/{rest.removeprefix(_ACTIONS)}")
            return self._actions(environ, start_response)
        request_path.set_path(environ, root, f"/{rest}")
        return self._dtale(root, prefix, f"/{rest}")(environ, start_response)

    def _dtale(self, root: str, prefix: str, path: str) -> WSGIApplication:
        """Return what answers for D-Tale itself."""
        asset = self._assets.redirect(prefix, path)
        if asset is not None:
            return asset
        self._used()  # D-Tale's pages send no requests by themselves, so somebody is there
        return self._mount(root, prefix)

    def _static_file(
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        connection = environ[CONNECTION_KEY]
        connection.begin_download()
        file = self._assets(environ, _with(start_response, _SAFE_HEADERS))
        return connection.download(file)  # type: ignore[no-any-return]

    @staticmethod
    def _closed(path: str, policy: guard.Policy) -> Response | None:
        """Answer a request without the capability, always alike; None if it does not need one."""
        ours = path == _SHUTDOWN or path.startswith(f"/{_ACTIONS}")
        return None if policy.open_access and not ours else not_found()

    def _remember_notebook(self, origins: Iterable[str]) -> None:
        """Let the page that has a panel frame the grid: its origin is only known from requests."""
        for origin in origins:
            if origin not in self._notebooks:
                self._notebooks.append(origin)


def not_found() -> Response:
    """Make the one answer for everybody who has not shown the link."""
    headers = {"Content-Security-Policy": "default-src 'none'", "Cache-Control": "no-store"}
    return Response(_NOT_FOUND, 404, headers, mimetype="text/html")


def _refusal(
    environ: WSGIEnvironment, policy: guard.Policy, rest: str, *, capable: bool
) -> Response | None:
    """Refuse what a foreign page could have made a browser ask for; the reason is no secret."""
    if guard.refuses_host(environ, policy, capable=capable):
        return Response(_WRONG_HOST, 403)
    if rest.startswith(_ACTIONS):
        return None  # they are for pages of other origins, and demand a header of their own
    if guard.comes_from_elsewhere(environ, policy) and not guard.is_page(environ, rest):
        return Response(_ELSEWHERE, 403)
    return None


def _with(start_response: StartResponse, more: list[tuple[str, str]]) -> StartResponse:
    """Add `more` to the headers of an answer."""

    def start(status: str, headers: list[tuple[str, str]], *error: object) -> object:
        return start_response(status, [*headers, *more], *error)  # type: ignore[arg-type]

    return start  # type: ignore[return-value]
