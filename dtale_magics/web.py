"""Everything that the kernel's server answers: the guard, then D-Tale below the kernel's slug.

D-Tale's own paths (``/dtale/main/1``) are the same in every kernel. Below an unguessable first
segment of its own, a kernel's URLs keep their meaning when a port changes hands, and nobody gets
anything who was not given the link.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from werkzeug.wrappers import Request, Response

from dtale_magics.server import CONNECTION_KEY

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from dtale_magics.assets import Assets

_PREFIX_HEADERS = ("HTTP_X_FORWARDED_PREFIX", "HTTP_X_FORWARDED_CONTEXT", "HTTP_X_PROXYCONTEXTPATH")

_ACTIONS = "_magics/"
"""What stands after the slug in the paths of the panel's clicks; D-Tale has none like it."""

_WELCOME = """\
<!doctype html><meta charset="utf-8"><title>Not found</title>
<p>There is nothing to see without the full link. It stands in the notebook, below the cell with
<code>%dtale</code>; links of a notebook that was restarted are dead.</p>
"""


class Web:
    """The WSGI application of a kernel.

    Parameters
    ----------
    slug
        The kernel's own first path segment, which is the capability as well.
    mount
        Gives D-Tale's WSGI application for the root under which a browser sees it, for example
        ``/user/ada/proxy/40000/<slug>``.
    prefixes
        The public path prefixes that requests may come through, without a trailing slash.
    outside
        Answers a request without the capability, or returns None for "not found".
    stop
        Called when somebody with the link asks D-Tale to shut down.
    actions
        Answers what lies below ``/<slug>/_magics``: the panel's clicks.
    used
        Called for each request that D-Tale itself is to answer.
    assets
        D-Tale's static files, which all kernels have below the same path.
    """

    def __init__(  # noqa: PLR0913, PLR0917 (one for each thing that it answers)
        self,
        slug: str,
        mount: Callable[[str], WSGIApplication],
        prefixes: Callable[[], Collection[str]],
        outside: Callable[[Request], Response | None],
        stop: Callable[[], None],
        actions: WSGIApplication,
        used: Callable[[], None],
        assets: Assets,
    ) -> None:
        self.slug = slug
        self._mount = mount
        self._prefixes = prefixes
        self._outside = outside
        self._stop = stop
        self._actions = actions
        self._used = used
        self._assets = assets

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request (PEP 3333)."""
        prefix, path = self._split_prefix(environ)
        first, slash, rest = path.removeprefix("/").partition("/")
        if hmac.compare_digest(first.encode(), self._assets.token.encode()):
            environ[CONNECTION_KEY].admit()
            environ["SCRIPT_NAME"], environ["PATH_INFO"] = f"{prefix}/{first}", f"/{rest}"
            return self._assets(environ, start_response)
        if not self._is_slug(first):
            return self._answer_outsider(environ)(environ, start_response)
        environ[CONNECTION_KEY].admit()
        root = f"{prefix}/{self.slug}"
        if not slash:
            return Response(status=308, headers={"Location": f"{root}/"})(environ, start_response)
        if rest == "shutdown":
            self._stop()
            return Response("D-Tale stops serving this notebook.\n")(environ, start_response)
        if rest.startswith(_ACTIONS):
            environ["PATH_INFO"] = f"/{rest.removeprefix(_ACTIONS)}"
            return self._actions(environ, start_response)
        asset = self._assets.redirect(prefix, f"/{rest}")
        if asset is not None:
            return asset(environ, start_response)
        self._used()  # D-Tale's pages ask for nothing by themselves, so somebody is there
        environ["SCRIPT_NAME"], environ["PATH_INFO"] = root, f"/{rest}"
        return self._mount(root)(environ, start_response)

    def _is_slug(self, segment: str) -> bool:
        return hmac.compare_digest(segment.encode(), self.slug.encode())

    def _split_prefix(self, environ: WSGIEnvironment) -> tuple[str, str]:
        """Find the public prefix: forwarded by a proxy that strips it, or kept in the path."""
        path: str = environ["PATH_INFO"]
        told = [environ.get(header, "").rstrip("/") for header in _PREFIX_HEADERS]
        if not any(told) and self._is_slug(path.removeprefix("/").partition("/")[0]):
            return "", path  # straight to us, as most come, without a look at the settings
        allowed = self._prefixes()
        for forwarded in told:
            if forwarded and forwarded in allowed:
                return forwarded, path.removeprefix(forwarded)
        for prefix in allowed:
            if path.startswith(f"{prefix}/"):
                return prefix, path.removeprefix(prefix)
        return "", path

    def _answer_outsider(self, environ: WSGIEnvironment) -> Response:
        answer = self._outside(Request(environ))
        return answer or Response(_WELCOME, status=404, mimetype="text/html")
