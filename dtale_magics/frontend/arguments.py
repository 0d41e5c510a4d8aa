"""Read the line after a magic: an expression or words, and options in any order.

Not argparse: an expression contains quotes, spaces and brackets that belong to Python, and whether
an option takes a value is known only to D-Tale.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dtale_magics.errors import UsageError
from dtale_magics.viewer.show_options import unknown_option

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dtale_magics.viewer.show_options import ShowOptions

_OPENING, _CLOSING = ("(", "[", "{"), (")", "]", "}")
_PIECE = re.compile(
    r"""'(?:\\.|[^'\\])*' | "(?:\\.|[^"\\])*" | \s+ | [^\s'"()\[\]{}]+ | .""", re.VERBOSE
)
"""A quoted string, white space, a run of other characters, or one bracket or stray quote."""


@dataclass
class Arguments:
    """What a line says.

    Attributes
    ----------
    words
        Everything that is no option.
    flags
        Options of the magic by name (``--drop x`` → ``{"--drop": "x"}``); True for switches.
    show_options
        D-Tale's show options by keyword, converted.
    """

    words: list[str] = field(default_factory=list)
    flags: dict[str, Any] = field(default_factory=dict)
    show_options: dict[str, Any] = field(default_factory=dict)

    @property
    def expression(self) -> str:
        """The words as one Python expression."""
        return " ".join(self.words)


def parse(
    line: str,
    flags: Mapping[str, str | None],
    show_options: Callable[[], ShowOptions] | None = None,
) -> Arguments:
    """Read `line`.

    Parameters
    ----------
    line
        As it was typed, without the magic's name.
    flags
        The magic's own options: what their value is called, None for switches.
    show_options
        Asked only if an option is none of `flags`: finding out imports D-Tale.

    Raises
    ------
    UsageError
        For an option that does not exist, or a value that is missing, superfluous or wrong.
    """
    arguments = Arguments()
    tokens = split(line)
    while tokens:
        token = tokens.pop(0)
        if not token.startswith("--"):
            arguments.words.append(token)
            continue
        flag, equals, value = token.partition("=")
        values = [value] if equals else tokens
        if flag in flags:
            arguments.flags[flag] = _value(flag, flags[flag], values, given=bool(equals))
            continue
        options = show_options() if show_options else None
        if options is None or flag not in options:
            raise unknown_option(flag, [*flags, *(options.flags if options else ())])
        option = options[flag]
        if option.is_switch and not (
            equals or (tokens and options.is_switch_word(flag, tokens[0]))
        ):
            arguments.show_options[option.name] = True
        else:
            text = _value(flag, option.kind.upper(), values, given=bool(equals))
            arguments.show_options[option.name] = option.parse(text)
    return arguments


def split(line: str) -> list[str]:
    """Split at white space that is in no quotes and no brackets.

    Raises
    ------
    UsageError
        When a quote or a bracket is not closed.
    """
    parts, depth = [""], 0
    for match in _PIECE.finditer(line):
        piece = match[0]
        if piece.isspace() and depth <= 0:
            parts.append("")
            continue
        if piece in ("'", '"'):
            raise UsageError(f"A quote {piece} is not closed in: {line.strip()}", "Close it.")
        depth += (piece in _OPENING) - (piece in _CLOSING)
        parts[-1] += piece
    if depth > 0:
        raise UsageError(f"A bracket is not closed in: {line.strip()}", "Close it.")
    return [part for part in parts if part]


def _value(flag: str, name: str | None, values: list[str], *, given: bool) -> Any:
    """Take the value of `flag` off `values`."""
    if name is None:
        if given:
            raise UsageError(f"{flag} takes no value.", f"Type {flag} alone.")
        return True
    if not values or (values[0].startswith("--") and not given):
        raise UsageError(f"{flag} needs a value.", f"Type for example: {flag} {name}")
    return _unquote(values.pop(0))


def _unquote(text: str) -> str:
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        try:
            return str(ast.literal_eval(text))
        except (ValueError, SyntaxError):
            pass
    return text
