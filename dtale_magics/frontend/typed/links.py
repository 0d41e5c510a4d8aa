"""What options about links do: the pod's page, look-only links, new links."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dtale_magics.errors import UsageError
from dtale_magics.frontend.typed.commands import Answer, one_of, quoted
from dtale_magics.wording import clock

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dtale_magics.page.links import Link
    from dtale_magics.session import Session

_ALL = "all"
_BELOW_SERVER = "   (below the address of your JupyterHub or Jupyter server)"

_PAGE = (
    "The pod's page shows every notebook and frame of this pod, below a link that lasts. It is in "
    "the panel's details."
)
_NEW_PAGE = (
    "The pod's page has a new link, and the old one is dead. The new one is in the panel's details."
)


def page(session: Session, _: Any) -> Answer:
    """Show the pod's page, whose link is made when it is first asked for."""
    return _page(session, session.pages.capability.made(), _PAGE)


def new_link(session: Session, _: Any, *, page: bool = False) -> Answer:
    """Give the notebook new links, or the pod's page a new one."""
    if page:
        return _page(session, session.pages.capability.replaced(), _NEW_PAGE)
    looks = len(session.pages.links.living())
    session.new_link()
    url = session.base_url
    more = f" So are the look-only ones ({looks})." if looks else ""
    return Answer(
        f"Links that were given away are dead.{more} Panels and grids of this notebook follow.",
        in_terminal="" if url is None else f"The new one: {url}/",
    )


def _page(session: Session, capability: str, text: str) -> Answer:
    session.ensure()
    session.tell_siblings()
    url = f"{session.public_url_of(capability)}/"
    return Answer(text, in_terminal=f"The page: {url}{_below(url)}", panel=True)


def share(session: Session, names: list[str], *, seconds: float | None = None) -> Answer:
    """Make a look-only link to a frame."""
    frame, words = one_of(session, names, "%dtale --share")
    session.ensure()
    links = session.pages.links
    link = links.add(frame.data_id, frame.name, *([] if seconds is None else [seconds]))
    url = f"{session.public_url_of(link.slug)}/"
    until = clock(link.expires)
    lines = [
        *filter(None, [words]),
        f"Whoever has this link can look at {frame.name}, and sort and filter it, until {until}:",
        f"  {url}{_below(url)}",
        f"To end that before: %dtale --links --revoke {link.number}",
    ]
    return Answer("\n".join(lines))


def links(session: Session, _: Any, *, revoke: list[str] | None = None) -> Answer:
    """List the look-only links, or revoke some of them."""
    living = session.pages.links.living()
    if revoke is None:
        lines = [f"{one.number}  {one.name}, until {clock(one.expires)}" for one in living]
        return Answer("\n".join(lines) or "No look-only link. To make one: %dtale --share df")
    chosen = [one for name in revoke for one in _meant(living, name)]
    session.pages.links.revoke(*chosen)
    return Answer(f"Dead now: {_listed(chosen)}." if chosen else "There was no link to revoke.")


def _meant(living: Iterable[Link], name: str) -> list[Link]:
    if name == _ALL:
        return [*living]
    found = [one for one in living if name in {str(one.number), one.name}]
    if not found:
        known = _listed(living) or "none"
        raise UsageError(
            f"There is no look-only link {name!r}. There are: {known}.",
            "Type its number, a frame's name, or all: %dtale --links --revoke all",
        )
    return found


def _listed(links: Iterable[Link]) -> str:
    return ", ".join(f"{one.number} ({quoted(one.name)})" for one in links)


def _below(url: str) -> str:
    """Say what the path is below, if only a page knows the host."""
    return "" if url.startswith("http") else _BELOW_SERVER
