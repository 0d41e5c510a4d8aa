"""Tab completion after the magics: options and their values, frames, and columns."""

from __future__ import annotations

import ast
import builtins
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from IPython.core.completer import SimpleCompletion, context_matcher

from dtale_magics.frontend.typed.expression import frames_in
from dtale_magics.frontend.typed.options import DTALE, DTALE_PORT
from dtale_magics.frontend.typed.python_text import look
from dtale_magics.wording import as_word

if TYPE_CHECKING:
    from collections.abc import Iterable

    from IPython.core.completer import CompletionContext, SimpleMatcherResult
    from IPython.core.interactiveshell import InteractiveShell

    from dtale_magics.frontend.typed.options import Magic
    from dtale_magics.session import Session
    from dtale_magics.viewer.show_options import ShowOption, ShowOptions

_MARK = "_dtale_magics"
_MAGIC = re.compile(r"(?:[^%]*=)?\s*%%?(dtale_port|dtale)\s(.*)", re.DOTALL)
_FLAG = re.compile(r"(?<!\S)--[A-Za-z][\w-]*")
_WORD = re.compile(r"[^\s,]*$")
_OF_SHOWN: dict[str, list[str]] = {"--drop": ["all"], "--data": [], "--edited": []}
"""Options that take names of shown frames, and what else each takes."""


@dataclass(frozen=True)
class _Found:
    """What can be typed at the cursor.

    Attributes
    ----------
    begun
        The part of it that was typed.
    candidates
        The candidates, in the order in which they are offered.
    """

    begun: str
    candidates: list[str]


def install(shell: InteractiveShell, session: Session) -> None:
    """Add the matcher to the completer of `shell`."""

    @context_matcher()
    def dtale_matcher(context: CompletionContext) -> SimpleMatcherResult:
        found = _Completer(shell, session).find(context.line_with_cursor, context.cursor_position)
        return {
            "completions": [SimpleCompletion(one, type="magic") for one in found.candidates],
            "matched_fragment": found.begun,
            "ordered": True,
            "suppress": bool(found.candidates),
        }

    setattr(dtale_matcher, _MARK, True)
    shell.Completer.custom_matchers.append(dtale_matcher)


def uninstall(shell: InteractiveShell) -> None:
    """Remove the matcher."""
    matchers = shell.Completer.custom_matchers
    matchers[:] = [matcher for matcher in matchers if not hasattr(matcher, _MARK)]


class _Completer:
    """Finds what can be typed at the cursor of one line."""

    def __init__(self, shell: InteractiveShell, session: Session) -> None:
        self._names: dict[str, Any] = shell.user_ns
        self._session = session

    def find(self, line: str, cursor: int) -> _Found:
        match = _MAGIC.match(line[:cursor])
        if match is None:
            return _Found("", [])
        before, whole = match[2], match[2] + line[cursor:]
        if match[1] == "dtale_port":
            word = before.rpartition(" ")[2]
            return _matching(word, DTALE_PORT.options) if word[:1] == "-" else _Found("", [])
        return self._after_dtale(before, whole)

    def _after_dtale(self, before: str, whole: str) -> _Found:
        word = "" if before[-1:].isspace() else before.rpartition(" ")[2]
        if look(before).comment is not None:
            return _Found("", [])
        flag, value = _last_flag(before)
        is_option = word.startswith("-") and not look(before[: len(before) - len(word)]).open
        if is_option and "=" not in word:
            return _matching(word, self._flags(DTALE))
        if flag and (found := self._value(flag, value, whole)) is not None:
            return found
        return self._expression(before, word, flag, value)

    def _expression(self, before: str, word: str, flag: str, value: str) -> _Found:
        """Offer what can begin an expression, or the options after a complete one."""
        first = before[: before.index("--")].strip() if flag else ""
        behind = value.strip() if flag else before.strip()
        if flag and not self._is_switch(flag):
            behind = behind.partition(" ")[2].strip()
        if not first and behind == word and (not word or word.isidentifier()):
            return self._start_of_expression(word)
        if not word and not look(before).open and (first or _is_complete(behind)):
            return _matching("", self._flags(DTALE))
        return _Found("", [])

    def _start_of_expression(self, begun: str) -> _Found:
        """Offer frames and options first, then anything else that can begin an expression."""
        frames = frames_in(self._names)
        others = [name for name in self._names if name not in frames and name[:1] != "_"]
        known = [*frames, *([] if begun else self._flags(DTALE)), *others]
        return _matching(begun, [*known, *(dir(builtins) if begun else ())])

    def _value(self, flag: str, value: str, whole: str) -> _Found | None:
        """Offer values of an option, if the cursor is at one."""
        typed = value.lstrip()
        if value == typed or (" " in re.sub(r",\s+", ",", typed)):
            return None
        if flag in _OF_SHOWN:
            begun = typed.rpartition(" ")[2] if flag == "--drop" else typed
            shown = dict.fromkeys(frame.name for frame in self._session.frames.all())
            return _matching(begun, [*map(as_word, shown), *_OF_SHOWN[flag]])
        if flag in DTALE.options and DTALE.options[flag].choices:
            found = _matching(typed, DTALE.options[flag].choices)
            return found if found.candidates or not self._is_switch(flag) else None
        options = self._dtales()
        if options is None or flag not in options:
            return None if flag not in DTALE.options or self._is_switch(flag) else _Found("", [])
        return self._value_of_dtales(options[flag], typed, whole)

    def _value_of_dtales(self, option: ShowOption, typed: str, whole: str) -> _Found | None:
        begun = _WORD.search(typed)[0]  # type: ignore[index] # it always matches
        columns = self._columns(whole)
        if option.choices:
            choices = [one for one in option.choices if not one.endswith("-")]
            prefixes = [one for one in option.choices if one.endswith("-")]
            return _matching(typed, choices + [one + c for one in prefixes for c in columns])
        if option.name == "sort" and ":" in begun:
            return _matching(begun.rpartition(":")[2], ["ASC", "DESC"])
        if option.kind == "list" or option.takes_columns:
            given = {one.strip().partition(":")[0] for one in typed.split(",")[:-1]}
            return _matching(begun, [as_word(one) for one in columns if one not in given])
        if option.kind == "dict" and typed.rstrip("'\"") != typed:
            return _matching("", columns)
        return None if option.is_switch else _Found("", [])

    def _columns(self, line: str) -> list[str]:
        """Return the columns of the frame that the line names or its expression begins with."""
        text = _FLAG.sub("\n", line)
        for name in re.findall(r"(?<![\w.'\"])[^\W\d]\w*", text):
            if name in self._names and frames_in({name: self._names[name]}):
                return columns_of(self._names[name])
        return []

    def _flags(self, magic: Magic) -> list[str]:
        options = self._dtales()
        return [*magic.options, *(options.flags if options else ())]

    def _is_switch(self, flag: str) -> bool:
        if flag in DTALE.options:
            return not DTALE.options[flag].placeholder
        options = self._dtales()
        return options is not None and flag in options and options[flag].is_switch

    def _dtales(self) -> ShowOptions | None:
        """D-Tale's own options; None while that would import it: no keystroke may wait for this."""
        return self._session.frames.options() if self._session.loaded else None


def columns_of(frame: Any) -> list[str]:
    """Return the columns that D-Tale shows of a frame, those of its index first."""
    index = getattr(frame, "index", None)
    names = [name for name in getattr(index, "names", None) or () if name is not None]
    columns = getattr(frame, "columns", None)
    if columns is None:
        name = getattr(frame, "name", None)
        columns = [] if name is None else [name]
    elif callable(columns):
        columns = []
    return [
        "_".join(map(str, one)) if isinstance(one, tuple) else str(one)
        for one in [*names, *columns]
    ]


def _matching(begun: str, candidates: Iterable[str]) -> _Found:
    found = [one for one in candidates if one.startswith(begun) or one[1:].startswith(begun)]
    if begun:
        found = [one for one in found if one.startswith(begun) or one[0] in "'\""]
    return _Found(begun, list(dict.fromkeys(found)))


def _last_flag(text: str) -> tuple[str, str]:
    """Return the last complete option, and the text after it."""
    for match in reversed(list(_FLAG.finditer(text))):
        if not look(text[: match.start()]).open and match.end() < len(text):
            value = text[match.end() :]
            return match[0], f" {value[1:]}" if value.startswith("=") else value
    return "", ""


def _is_complete(text: str) -> bool:
    try:
        ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError):
        return False
    return True
