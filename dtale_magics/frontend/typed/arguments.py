"""Read the line after a magic: an expression, and options before and after it.

argparse cannot do this: an expression has quotes, spaces and brackets that belong to Python, and
only Python can say where it ends; and only D-Tale knows whether an option takes a value.
"""

from __future__ import annotations

import ast
import builtins
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dtale_magics.errors import UsageError
from dtale_magics.frontend.typed import suggestions, words
from dtale_magics.frontend.typed.options import HELP
from dtale_magics.frontend.typed.python_text import look
from dtale_magics.viewer.show_options import WAYS

if TYPE_CHECKING:
    from collections.abc import Callable

    from dtale_magics.frontend.typed.options import Magic, Option
    from dtale_magics.viewer.show_options import ShowOption, ShowOptions

_FLAG = re.compile(r"(?<!\S)--[A-Za-z][\w-]*")
_HELP_BEHIND = re.compile(r"\s-h$")


@dataclass
class Arguments:
    """What a line says.

    Attributes
    ----------
    expression
        The expression as typed, without options, comments and a semicolon at its end.
    flags
        Options of the magic by name (``--name x`` → ``{"--name": "x"}``): True for switches, a list
        for those that take several words.
    show_options
        D-Tale's show options by keyword, converted.
    silent
        Whether a semicolon ended the line; then the cell has no value.
    wants_help
        Whether help was asked for.
    """

    expression: str = ""
    flags: dict[str, Any] = field(default_factory=dict)
    show_options: dict[str, Any] = field(default_factory=dict)
    silent: bool = False
    wants_help: bool = False

    @property
    def words(self) -> list[str]:
        """The words of the expression, for a magic that takes no Python."""
        return self.expression.split()


def parse(
    line: str,
    magic: Magic,
    show_options: Callable[[], ShowOptions] | None = None,
    variable: Callable[[str], Any] | None = None,
) -> Arguments:
    """Read `line`.

    Parameters
    ----------
    line
        As it was typed, without the magic's name.
    magic
        What can be typed.
    show_options
        Called only for an option that is not one of `magic`: finding out imports D-Tale.
    variable
        Returns a variable of the code that has the line; `KeyError` if there is none.

    Raises
    ------
    UsageError
        For an option that does not exist; for a value that is missing, superfluous or wrong; for
        more than one expression.
    """
    return _Reader(line, magic, show_options, variable).read()


class _Reader:
    """Reads one line from left to right."""

    def __init__(
        self,
        line: str,
        magic: Magic,
        show_options: Callable[[], ShowOptions] | None,
        variable: Callable[[str], Any] | None,
    ) -> None:
        self._rest = line
        self._line = line.strip()
        self._magic = magic
        self._options = magic.options
        self._ask_dtale = show_options
        self._variable = variable
        self._expressions: list[str] = []
        self._behind: list[tuple[str, str]] = []
        """For each expression, the option and value in front of it, if any."""
        self._last = ("", "")
        self._arguments = Arguments()

    def read(self) -> Arguments:
        while self._rest.strip():
            flag = self._read_expression()
            if flag is None:
                break
            self._read_option(flag)
        arguments = self._arguments
        if len(self._expressions) > 1:
            raise self._two_expressions()
        arguments.expression = "".join(self._expressions)
        if _HELP_BEHIND.search(arguments.expression) and not self._knows("h"):
            arguments.wants_help = True
        if arguments.expression in HELP and not arguments.flags:
            # `help` may be a frame's name.
            arguments.wants_help = arguments.expression != "help" or self._is_pythons("help")
        return arguments

    def _two_expressions(self) -> UsageError:
        first, second, *_ = self._expressions
        what = f"There are two expressions, {first!r} and {second!r}."
        flag, value = self._behind[1]
        options = self._ask_dtale() if self._ask_dtale else None
        shown = options[flag] if options is not None and flag in options else None
        if shown is not None and shown.kind == "list":
            columns = ",".join([value, *second.split()])
            return UsageError(what, f"Columns are separated by commas: {flag} {columns}")
        option = self._options.get(flag)
        if (option is not None and option.is_text) or (shown is not None and shown.is_text):
            return UsageError(what, f"Words stand in quotes: {flag} {f'{value} {second}'!r}")
        name = self._magic.name
        return UsageError(
            what,
            f"One frame at a time: {name} {first}   and, on a line of its own: {name} {second}\n"
            "A value of an option that has spaces needs quotes.",
        )

    def _read_expression(self) -> str | None:
        """Take the text up to the next option off the front, and return that option's flag."""
        for match in _FLAG.finditer(self._rest):
            before = look(self._rest[: match.start()])
            if before.comment is not None:
                break
            if not before.open and self._is_flag(match[0], match):
                text, self._rest = self._rest[: match.start()], self._rest[match.end() :]
                self._keep(text)
                return match[0]
        text, self._rest = self._rest, ""
        self._keep(text)
        return None

    def _keep(self, text: str) -> None:
        found = look(text)
        if found.open:
            hint = f"For several lines, put %{self._magic.name} above them, in a cell of their own."
            if found.open == "a quote" and "'''" not in text and '"""' not in text:
                hint = "Close it, or put the text in the other kind of quotes."
            raise UsageError(f"{found.open.capitalize()} is not closed in: {self._line}", hint)
        if found.comment is not None:
            text, self._rest = text[: found.comment], ""
        if found.semicolon is not None:
            text, self._arguments.silent = text[: found.semicolon], True
        if text.strip():
            self._expressions.append(text.strip())
            self._behind.append(self._last)

    def _is_flag(self, flag: str, match: re.Match[str]) -> bool:
        """Whether `flag` is an option, and not Python's ``a --b``, which is ``a - (-b)``."""
        flag = flag.replace("_", "-")
        if flag in self._options or flag in HELP:
            return True
        before, name = self._rest[: match.start()], match[0][2:]
        if not before.strip() or not name.isidentifier() or not self._knows(name):
            return True
        dtale = self._ask_dtale() if self._ask_dtale else ()
        if flag in dtale:
            return True
        following = (other.start() for other in _FLAG.finditer(self._rest, match.end()))
        ends = [*following, len(self._rest)]
        return not any(_is_expression(_without_end(self._rest[:end])) for end in ends)

    def _knows(self, name: str) -> bool:
        if self._variable is None:
            return False
        try:
            self._variable(name)
        except KeyError:
            return False
        return True

    def _is_pythons(self, name: str) -> bool:
        """Whether a name is Python's own and not one of the user's."""
        if self._variable is None or not self._knows(name):
            return True
        return self._variable(name) is getattr(builtins, name, None)

    def _read_option(self, flag: str) -> None:
        if flag in HELP:
            self._arguments.wants_help = True
            return
        flag = flag.replace("_", "-")  # --hide_columns, spelled like D-Tale's keyword
        before = self._rest
        try:
            self._read_value(flag)
        except UsageError as error:
            typed = before[: len(before) - len(self._rest)].strip(" =")
            if typed.isidentifier() and self._knows(typed) and not self._is_pythons(typed):
                error.hint += f"\nIf the variable is meant: {flag} {{{typed}}}"
            raise
        self._last = (flag, before[: len(before) - len(self._rest)].strip(" ="))

    def _read_value(self, flag: str) -> None:
        option = self._options.get(flag)
        if option is not None:
            self._arguments.flags[flag] = self._value_of(option)
            return
        options = self._ask_dtale() if self._ask_dtale else None
        if options is None or flag not in options:
            raise suggestions.unknown_option(flag, self._magic, options)
        shown = options[flag]
        self._arguments.show_options[shown.name] = self._value_of_dtales(shown)

    def _value_of(self, option: Option) -> Any:
        given = self._rest.startswith("=")
        if not option.placeholder and not option.choices:
            if given:
                raise UsageError(f"{option.flag} takes no value.", f"Type {option.flag} alone.")
            return True
        if not option.placeholder and not given:
            word = self._next_word()
            if word is None or word.removesuffix(";") not in option.choices:
                return True
        value = self._take_value(option.flag, option.for_example, is_text=option.is_text)
        first = words.unquote(value)
        if option.choices and first not in option.choices:
            raise UsageError(
                f"{option.flag} takes {' or '.join(option.choices)}, not {first!r}.",
                f"Type for example: {option.flag} {option.choices[0]}",
            )
        if not option.takes_several:
            return option.convert(first, option.flag) if option.convert else first
        values = [first]
        while (word := self._next_word()) is not None:
            values.append(words.unquote(self._take_word(word)))
        return values

    def _value_of_dtales(self, option: ShowOption) -> Any:
        if option.is_switch and not self._rest.startswith("="):
            word = self._next_word()
            if word is None or not self._is_value_of_switch(option, word):
                return True
        example = f"{option.flag} {option.placeholder}"
        value = self._take_value(option.flag, example, is_text=option.is_text)
        while option.name == "sort":  # --sort a DESC, b ASC
            word = self._next_word() or ""
            if word and value.endswith(","):
                value += self._take_word(word)
            elif word.strip(",;").upper() in WAYS:
                value += f":{self._take_word(word)}"
            else:
                break
        return option.parse(value)

    def _is_value_of_switch(self, option: ShowOption, word: str) -> bool:
        """Whether `word`, after a switch, belongs to it and is not the frame."""
        if option.is_switch_word(word.removesuffix(";")):
            return True
        if not option.takes_columns:
            return False
        # Only one of them can be the expression: what came before, or what follows.
        behind = self._rest.lstrip()[len(word) :].strip()
        return bool(self._expressions) or word.endswith(",") or bool(_FLAG.split(behind)[0].strip())

    def _take_value(self, flag: str, example: str, *, is_text: bool = False) -> str:
        self._rest = self._rest.removeprefix("=")
        word = self._next_word()
        if word is None:
            raise UsageError(f"{flag} needs a value.", f"Type for example: {example}")
        if is_text:
            prefix = words.prefix(word, flag)
            self._rest = self._rest.lstrip().removeprefix(prefix)
            word = word.removeprefix(prefix)
        value = self._take_word(word, in_quotes=is_text)
        while (
            not is_text
            and word is not None
            and (value.endswith(",") or self._rest.lstrip().startswith(","))
        ):
            word = self._next_word()  # a, b
            value += "" if word is None else self._take_word(word)
        return value

    def _next_word(self) -> str | None:
        """Return the next word as typed; None before an option, a comment or the end."""
        rest = self._rest.lstrip()
        if not rest or rest.startswith("#") or rest == ";" or _FLAG.match(rest):
            return None
        return words.first(rest, self._line)

    def _take_word(self, word: str, *, in_quotes: bool = False) -> str:
        self._rest = self._rest.lstrip()[len(word) :]
        behind = self._rest.strip()
        if word.endswith(";") and (not behind or behind.startswith("#")):
            word, self._arguments.silent = word[:-1], True
        if self._variable is not None:
            word = words.expand(word, self._variable, in_quotes=in_quotes)
        return word


def _without_end(text: str) -> str:
    """Return `text` without a comment and a semicolon at its end."""
    found = look(text)
    text = text[: found.comment]
    return text[: found.semicolon].strip()


def _is_expression(text: str) -> bool:
    try:
        ast.parse(text, mode="eval")
    except (SyntaxError, ValueError):
        return False
    return True
