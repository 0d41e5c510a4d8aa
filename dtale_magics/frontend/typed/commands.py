"""What options that stand alone do: ask the session, and answer with a value and its text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dtale_magics.errors import UnknownFrameError, UsageError
from dtale_magics.frontend.display import list_text, ports_text, verdict_text
from dtale_magics.wording import as_word

if TYPE_CHECKING:
    from collections.abc import Callable

    from dtale_magics.frontend.auto_show import AutoShow
    from dtale_magics.outcome import Outcome
    from dtale_magics.reach.verdict import Verdict
    from dtale_magics.session import Session
    from dtale_magics.state import FrameInfo


@dataclass(frozen=True)
class Answer:
    """What a magic shows and hands to the user's code.

    Attributes
    ----------
    text
        For the reader; empty if IPython is to show `value` like any other.
    value
        For code.
    in_terminal
        Additional text for terminals, which a notebook must not save.
    panel
        Whether to show the panel below; it has what must not be saved.
    follow
        Called after `text` is shown, with a function that shows another text in its place; it
        returns when there is no more to say.
    """

    text: str
    value: Any = None
    in_terminal: str = ""
    panel: bool = False
    follow: Callable[[Callable[[str], None]], None] | None = None


class Listing(list[dict[str, Any]]):
    """Every D-Tale of this user in this pod, as `Session.kernels` lists them."""

    def __str__(self) -> str:
        return list_text(self)


def auto(auto_show: AutoShow, word: str) -> Answer:
    """Switch the showing of every frame that a cell ends with."""
    return auto_show.switch(on=word == "on")


def list_all(session: Session, _: Any) -> Answer:
    """List every D-Tale and its frames."""
    found = Listing(session.kernels())
    return Answer(str(found), found)


def drop(session: Session, names: list[str]) -> Answer:
    """Forget frames, all or none of them."""
    names = _joined(session, names)
    found = session.frames.all() if names == ["all"] else session.frames.find(*names)
    lost = ", ".join(frame.name for frame in found if session.frames.edits(frame))
    dropped = session.frames.drop(*names)
    if not dropped:
        return Answer("No frame is shown.")
    words = f" What was edited in the grid is gone with it: {lost}." if lost else ""
    return Answer("Forgotten: " + ", ".join(map(str, dropped)) + "." * bool(words) + words)


def data(session: Session, names: list[str]) -> Answer:
    """Return a frame as the grid has it."""
    frame, words = one_of(session, names)
    return Answer(words, session.frames.data(frame))


def edited(session: Session, names: list[str]) -> Answer:
    """Return all rows of a frame with the edits made in its grid."""
    frame, words = one_of(session, names)
    found = session.frames.edited(frame)
    if found is None:
        raise UsageError(
            f"Nothing was edited in the grid of {frame.name}.",
            f"As the grid has it, filtered and sorted: %dtale --data {quoted(frame.name)}",
        )
    return Answer(words, found)


def one_of(
    session: Session, names: list[str], typed: str = "kept = %dtale --data"
) -> tuple[FrameInfo, str]:
    """Find the frame that is meant, and say which one it is if there are others."""
    name, *more = _joined(session, names)
    if more:
        raise UsageError(
            f"One frame at a time, and not {name} and {', '.join(more)}.",
            f"Type for example: {typed} {quoted(name)}",
        )
    *others, frame = session.frames.find(name)
    if not others:
        return frame, ""
    listed = ", ".join(quoted(other.name, first=True) for other in others)
    return frame, f"{frame.name}, which was shown last. Others: {listed}."


def _joined(session: Session, words: list[str]) -> list[str]:
    """Join the parts of names that were typed without quotes, such as ``df (2)``."""

    def is_name(text: str) -> bool:
        try:
            return bool(session.frames.find(text))
        except UnknownFrameError:
            return False

    names: list[str] = []
    while words:
        # Take the longest name, because ``df`` is a name as well; but two names alone are two.
        ends = range(len(words), 1, -1)
        found = (end for end in ends if is_name(" ".join(words[:end])))
        end = 1 if all(map(is_name, words)) else next(found, 1)
        names.append(" ".join(words[:end]))
        words = words[end:]
    return names


def quoted(name: str, *, first: bool = False) -> str:
    """Write a frame's name as one word; with its number for the `first` of several."""
    if first and not re.search(r" \(\d+\)$", name):
        name += " (1)"
    return as_word(name)


def stop(session: Session, _: Any) -> Answer:
    """Free every port."""
    freed = session.stop()
    if not freed:
        return Answer("D-Tale was not running.")
    ports = ", ".join(str(port) for port in freed)
    return Answer(f"Stopped; free again: port {ports}. Frames are kept: %dtale df goes on.")


def take(session: Session, _: Any) -> Answer:
    """Take over the ingress port."""
    return takeover(session.take_over())


def release(session: Session, _: Any) -> Answer:
    """Give the ingress port back."""
    return takeover(session.release())


def takeover(outcome: Outcome) -> Answer:
    """Say what became of a takeover; a refusal is an error, so that "Run all" stops."""
    if outcome.refused:
        outcome.require()
    return Answer(str(outcome), outcome)


def ports(session: Session) -> Answer:
    """Say which ports are bound, looked for and exposed."""
    status = session.status()
    text = ports_text(status, session.audience())
    outside = [port for port in status.ports if port not in status.range]
    if outside:
        text += (
            f"\nD-Tale stays on port {outside[-1]}, outside the range: open tabs go on. "
            f"To move it, type: %dtale_port {status.range.first}"
        )
    return Answer(text, status)


def reset_range(session: Session, _: Any) -> Answer:
    """Return to the configured range."""
    session.set_range(None)
    return ports(session)


def check(session: Session, _: Any) -> Answer:
    """Find out by which URL this D-Tale is seen, and say what is found as it arrives."""
    mistake = session.settings().mistake  # a check is there to find wrong settings
    if mistake is not None:
        raise mistake

    def follow(say: Callable[[str], None]) -> None:
        def show(verdict: Verdict) -> None:
            say(verdict_text(verdict.as_dict()))

        show(session.check(lambda: show(session.reach.verdict())))

    return Answer("Checking, three seconds at most …", follow=follow)
