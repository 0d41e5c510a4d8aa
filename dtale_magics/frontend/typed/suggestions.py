"""What a user may have meant by something that does not exist."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Any

from dtale_magics.errors import FrameRefusedError, UsageError
from dtale_magics.frontend.typed.expression import frames_in
from dtale_magics.frontend.typed.python_text import look

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping

    from dtale_magics.frontend.typed.options import Magic
    from dtale_magics.viewer.show_options import ShowOptions

_NEAR = 0.75
"""Minimum similarity of two words; with less, ``--host`` would be taken for ``--stop``."""

_NAMED_AT_MOST = 5
_SINGLE_DASH = re.compile(r"(?<!\S)(?:-|[\u2010-\u2015\u2212]+\s*)([A-Za-z][\w-]*)")
"""One hyphen, or a dash that a word processor made from two."""

_KEYWORD = re.compile(r"(?<![^\s,])([A-Za-z]\w*)=(\S+)")

_CALLED_OTHERWISE = {
    "--kill": "--stop",
    "--quit": "--stop",
    "--close": "--stop",
    "--shutdown": "--stop",
    "--delete": "--drop",
    "--remove": "--drop",
    "--forget": "--drop",
    "--export": "--data",
    "--frames": "--list",
    "--head": "--rows",
    "--limit": "--rows",
    "--nrows": "--rows",
    "--n": "--rows",
    "--desc": "--sort a:DESC",
    "--descending": "--sort a:DESC",
    "--ascending": "--sort a:ASC",
}
"""What other programs call an option."""

_DTALES_OWN = {
    "--host": "D-Tale is served on every address of this machine, to whoever has the link.",
    "--app-root": "The path under which a proxy shows it is found out: %dtale_port --check.",
    "--reaper-on": "D-Tale is not ended when it is idle; %dtale --stop ends it.",
    "--subprocess": "D-Tale always runs in this kernel.",
    "--debug": "For that, see the loggers below dtale_magics.",
    "--notebook": "The grid is always shown in the notebook.",
    "--ignore-duplicate": "A frame that is shown again takes its old place.",
}
"""Options of ``dtale.show`` that the magic does without, and why."""


def unknown_option(flag: str, magic: Magic, dtales: ShowOptions | None) -> UsageError:
    """Make the error for an option that does not exist, with existing ones that are similar."""
    what = f"There is no option {flag}."
    if dtales is not None and flag in _DTALES_OWN:
        return UsageError(what, _DTALES_OWN[flag])
    if magic.name == "%dtale_port" and flag == "--port":
        return UsageError(what, "The port stands alone: %dtale_port 40005")
    found = list(_alike(flag, magic, dtales))
    hint = f"Did you mean {' or '.join(found)}?" if found else f"{magic.name} -h lists the options."
    return UsageError(what, hint)


def single_dash(
    text: str, magic: Magic, dtales: ShowOptions | None, variables: Container[str] | None = None
) -> UsageError | None:
    """Make the error for ``df -theme``, if `text` is like that and there is no such variable.

    The same goes for ``df theme=dark``, written as in ``dtale.show``, if it is not Python.
    """
    for match in _SINGLE_DASH.finditer(text):
        if variables is not None and match[1] in variables:
            continue
        before = look(text[: match.start()])
        if before.comment is not None:
            return None
        found = [] if before.open else list(_alike(f"--{match[1]}", magic, dtales))
        if found:
            return UsageError(f"{match[0]} is no option.", f"Did you mean {' or '.join(found)}?")
    for match in _KEYWORD.finditer(text) if variables is None else ():
        flag = f"--{match[1].replace('_', '-')}"
        known = flag in magic.options or (dtales is not None and flag in dtales)
        if known and not look(text[: match.start()]).open:
            return UsageError(
                f"{match[0]} is no option.", f"Type for example: {flag} {match[2].strip(',')}"
            )
    return None


def bare_option(text: str, magic: Magic) -> str:
    """Return ``drop df`` written as an option; nothing if it does not begin with one's name."""
    word, *_ = text.split(maxsplit=1) or [""]
    return f"{magic.name} --{text}" if f"--{word}" in magic.options else ""


def refuse_name(value: Any, name: str, typed: str, variables: Mapping[str, Any]) -> None:
    """Refuse a text that is the name of a frame."""
    if isinstance(value, str) and value in frames_in(variables):
        what = f"{name} is a text, the name of a variable."
        also = f"   or %dtale {{{typed}}}" if typed.isidentifier() else ""
        raise FrameRefusedError(name, what, f"Type: %dtale {value}{also}")


def _alike(flag: str, magic: Magic, dtales: ShowOptions | None) -> Iterator[str]:
    known = [*magic.options, *(dtales.flags if dtales else ())]
    meant = _CALLED_OTHERWISE.get(flag, "")
    if meant.split(" ")[0] in known:
        yield meant
        return
    near = difflib.get_close_matches(flag, known, n=1, cutoff=_NEAR)
    if near:
        yield from near
        return
    word = flag.strip("-").casefold()
    if dtales is not None:
        for option in dtales:
            if word in option.choices:
                yield f"{option.flag} {word}"
                return
    yield from _with_word(word, known)


def _with_word(word: str, known: Iterable[str]) -> list[str]:
    """Return options of which `word` is a part: ``--columns``, ``--title``."""
    parts = [flag for flag in known if word in flag.strip("-").split("-")]
    return parts[:_NAMED_AT_MOST]
