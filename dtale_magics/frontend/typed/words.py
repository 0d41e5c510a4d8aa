"""A word after a magic: where it ends, and what its quotes and braces stand for."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Any

from dtale_magics.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

_OPENING, _CLOSING = ("(", "[", "{"), (")", "]", "}")
_PIECE = re.compile(
    r"""'(?:\\.|[^'\\])*' | "(?:\\.|[^"\\])*" | \s+ | [^\s'"()\[\]{}]+ | .""", re.VERBOSE
)
"""A quoted string, white space, a run of other characters, or one bracket or stray quote."""

_FIELD = re.compile(r"\{\s*([^\W\d]\w*)\s*\}|\$([^\W\d]\w*)")
"""What IPython replaces in a magic's line: ``{name}`` and ``$name``."""

_F_STRING = re.compile(r"[fF]['\"]")


def first(text: str, line: str) -> str:
    """Return `text` up to the first white space outside quotes and brackets."""
    end, depth = 0, 0
    for match in _PIECE.finditer(text):
        piece = match[0]
        if piece.isspace() and depth <= 0:
            break
        if piece in ("'", '"'):
            raise UsageError(f"A quote is not closed in: {line}", f"Close it with {piece}")
        depth += (piece in _OPENING) - (piece in _CLOSING)
        end = match.end()
    if depth > 0:
        raise UsageError(f"A bracket is not closed in: {line}", "Close it.")
    return text[:end]


def expand(text: str, variable: Callable[[str], Any], *, in_quotes: bool = False) -> str:
    """Replace ``{name}`` and ``$name`` in an option's value if there is such a variable.

    Columns and frames may have such names, so text in quotes is left alone unless `in_quotes`.
    """

    def replacement(match: re.Match[str]) -> str:
        try:
            return str(variable(match[1] or match[2]))
        except KeyError:
            return match[0]

    if text[:1] in {"'", '"'} and not in_quotes:
        return text
    return _FIELD.sub(replacement, text)


def named_by(expression: str, variable: Callable[[str], Any]) -> str:
    """Return what a lone ``{name}`` or ``$name`` stands for: the text that the variable holds.

    All other braces are Python's. If the variable holds something else that can be in a set,
    ``{name}`` is Python, too; otherwise, for a frame for example, it means the variable itself. So
    does a lone ``$name``, which is not Python.
    """
    match = _FIELD.fullmatch(expression)
    if match is None:
        return expression
    try:
        value = variable(match[1] or match[2])
    except KeyError:
        return match[2] or expression
    if isinstance(value, str):
        return value
    return match[2] or (expression if _is_hashable(value) else match[1])


def _is_hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


def unquote(text: str) -> str:
    """Take the quotes off a value that is in quotes."""
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        try:
            return str(ast.literal_eval(text))
        except (ValueError, SyntaxError):
            pass
    return text


def prefix(text: str, flag: str) -> str:
    """Return the ``f`` of ``f"part {name}"``, whose braces are filled in all the same.

    Raises
    ------
    UsageError
        When its braces contain more than a variable's name; `flag` is the option.
    """
    if not _F_STRING.match(text):
        return ""
    if {"{", "}"} & set(_FIELD.sub("", text)):
        raise UsageError(
            f"{flag} {text}: the braces hold more than a variable's name.",
            f"Assign it in a line of its own: label = {text}   and type: {flag} {{label}}",
        )
    return text[0]


def count_from(text: str, flag: str) -> int:
    """Read how many rows: ``1000``, ``100_000``, ``1e6``, ``100k``."""
    plain = text.strip().lower().replace("_", "").replace(",", "")
    factor = {"k": 1_000, "m": 1_000_000}.get(plain[-1:], 1)
    try:
        number = float(plain.rstrip("km") if factor > 1 else plain) * factor
        if number >= 1 and number == int(number):
            return int(number)
    except (ValueError, OverflowError):
        pass
    raise UsageError(
        f"{flag} takes a number of rows, and {text!r} is none.", f"Type for example: {flag} 10000"
    )
