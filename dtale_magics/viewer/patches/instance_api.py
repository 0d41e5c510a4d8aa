"""D-Tale's own Python API under the extension: ``dtale.show`` and the instances that it returns.

The addresses that an instance gives really lead to it: they use the URL that the notebook's page
has confirmed, or else the best one that is known. Arguments of ``dtale.show`` that this kernel's
server cannot honour are refused, because the caller relies on them.
"""

from __future__ import annotations

import functools
import socket
from typing import TYPE_CHECKING, Any, Protocol

from dtale_magics.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

_EVERY_ADDRESS = {"0.0.0.0", "::", ""}  # noqa: S104 (compared, not bound)


class Addresses(Protocol):
    """Where this kernel's D-Tale is."""

    @property
    def base_url(self) -> str | None:
        """Local URL with the slug, without a trailing slash; None while nothing is bound."""

    @property
    def public_url(self) -> str | None:
        """The same as a reader sees it: absolute, or a path on the host of the notebook's page."""


def checked_show(show: Callable[..., Any], is_ours: Callable[[], bool]) -> Callable[..., Any]:
    """Wrap ``dtale.show`` to refuse, in one sentence, arguments that our server cannot honour.

    Parameters
    ----------
    show
        D-Tale's function.
    is_ours
        Whether D-Tale is served by us, and not through Colab or ngrok.
    """

    @functools.wraps(show)
    def checked(*args: Any, **options: Any) -> Any:
        if is_ours():
            _check(options)
        return show(*args, **options)

    return checked


def _check(options: dict[str, Any]) -> None:
    without = "Leave it out, or go without the extension: %unload_ext dtale_magics"
    host = options.get("host")
    if host is not None and host not in _EVERY_ADDRESS | {socket.gethostname()}:
        raise UsageError(
            f"host={host!r} is not heeded: with dtale_magics, D-Tale listens on every address, "
            "and shows nothing without the link.",
            without,
        )
    if options.get("ssl_context"):
        raise UsageError(
            "ssl_context is not heeded: with dtale_magics, D-Tale speaks plain HTTP, and the proxy "
            "or ingress in front of it TLS.",
            without,
        )
    if options.get("app_root"):
        raise UsageError(
            f"app_root={options['app_root']!r} is not heeded: dtale_magics finds out by which path "
            "it is asked.",
            "Leave it out, and say where the outside sees the port: "
            "%config DtaleMagics.ingress_url = 'https://…'",
        )
    if options.get("reaper_on"):
        raise UsageError(
            "reaper_on=True is not heeded: with dtale_magics, D-Tale keeps its frames for as long "
            "as the kernel lives.",
            "Leave it out; %dtale --stop frees the ports.",
        )


def install(data_class: Any, addresses: Addresses, app: Any) -> Callable[[], None]:
    """Have D-Tale's instances give addresses that lead to them; return how to undo that.

    Parameters
    ----------
    data_class
        ``dtale.views.DtaleData``.
    addresses
        The addresses of this kernel's D-Tale.
    app
        ``dtale.app``.
    """
    build_iframe = data_class._build_iframe  # noqa: SLF001 (what `notebook` shows)
    main_url = data_class._main_url  # noqa: SLF001 (what `main_url` and `open_browser` give)
    build_main_url = data_class.build_main_url

    def build_public_main_url(self: Any, name: Any = None) -> Any:
        if app.USE_COLAB or app.USE_NGROK:
            return build_main_url(self, name)
        # The URL has the id and not the name, which may be another frame's tomorrow.
        del name
        return _public(build_main_url(self), addresses)

    def public_main_url(self: Any) -> Any:
        return self.build_main_url()

    def build_public_iframe(self: Any, *args: Any, **kwargs: Any) -> Any:
        iframe = build_iframe(self, *args, **kwargs)
        if iframe is not None:
            iframe.src = _public(iframe.src, addresses)
        return iframe

    data_class.build_main_url = build_public_main_url
    data_class._main_url = property(public_main_url)  # noqa: SLF001 (as above)
    data_class._build_iframe = build_public_iframe  # noqa: SLF001 (as above)

    def undo() -> None:
        data_class.build_main_url = build_main_url
        data_class._main_url = main_url  # noqa: SLF001 (as above)
        data_class._build_iframe = build_iframe  # noqa: SLF001 (as above)

    return undo


def _public(url: Any, addresses: Addresses) -> Any:
    """Turn a local URL of ours into the one that a reader sees; return any other unchanged."""
    local, seen = addresses.base_url, addresses.public_url
    if local is None or seen is None or not isinstance(url, str):
        return url
    root = local.rpartition("/")[0]  # what D-Tale makes of ACTIVE_HOST and ACTIVE_PORT
    for start in (local, root):
        if url == start or url.startswith(f"{start}/dtale/"):
            return seen + url.removeprefix(start)
    return url
