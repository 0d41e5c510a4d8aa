"""D-Tale's own show options as command-line options, read off D-Tale itself."""

from __future__ import annotations

import ast
import contextlib
import difflib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dtale_magics.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from typing_extensions import Self

_OURS = {"app_root", "debug", "force", "host", "ignore_duplicate", "notebook", "port", "reaper_on"}
_OURS |= {"subprocess"}
_DOCUMENTED_TYPE = re.compile(r":type (\w+): *(\w+)")
_DOCUMENTED_THEMES = re.compile(r":param theme:.*?Options are (.*?)\(default", re.DOTALL)
_DOCUMENTED_MODES = re.compile(r":param background_mode:(.*?):type", re.DOTALL)
_MODE = re.compile(r"^\s+- ([\w-]+)(?:\[[\w ]+\])?:", re.MULTILINE)
_PART = re.compile(r"""(?:'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|[^,'"]|['"])+""")
"""The text between two commas; a quote that is not closed is a character like any other."""

WAYS = ("ASC", "DESC")
_MAX_DECIMALS = 100
"""The maximum that JavaScript's ``toFixed`` takes."""

_HIGHLIGHTS = {"active", "equals", "greaterThan", "lessThan"}
_EXAMPLES = {
    "theme": "dark",
    "background_mode": "heatmap-col",
    "sort": "a:DESC",
    "column_formats": "{'a':{'fmt':'0.00'}}",
    "range_highlights": "{'a':{'active':True,'greaterThan':{'active':True,'value':5}}}",
    "column_edit_options": "{'a':['yes','no']}",
    "nan_display": "-",
    "main_title": "Sales",
    "main_title_font": "Arial",
    "allow_cell_edits": "a,b",
}
_EXAMPLES_OF_KIND = {
    "bool": "true",
    "boolean": "true",
    "int": "4",
    "list": "a,b",
    "dict": "{'a':1}",
}
_SWITCH_WORDS = {
    **dict.fromkeys(("true", "yes", "on"), True),
    **dict.fromkeys(("false", "no", "off"), False),
}


@dataclass(frozen=True)
class ShowOption:
    """One option of ``dtale.show``.

    Attributes
    ----------
    name
        As D-Tale's keyword, for example ``hide_columns``.
    kind
        The first word of its documented type: ``bool``, ``int``, ``list``, ``dict``, ``str``.
    choices
        Every value that D-Tale documents; empty if it can be anything. A column's name follows one
        that ends with a dash.
    """

    name: str
    kind: str
    choices: tuple[str, ...] = ()

    @property
    def flag(self) -> str:
        """The option as typed: ``--hide-columns``."""
        return "--" + self.name.replace("_", "-")

    @property
    def is_switch(self) -> bool:
        """Whether it takes no value (``--hide-shutdown`` does not, ``--theme`` does)."""
        return self.kind.startswith("bool")

    @property
    def is_text(self) -> bool:
        """Whether its value is free text for the reader, and not the name of anything."""
        return self.kind == "str" and not self.choices

    @property
    def takes_columns(self) -> bool:
        """Whether this switch can be given columns, for which alone it is then on."""
        return self.name == "allow_cell_edits"

    @property
    def placeholder(self) -> str:
        """An example of a value."""
        return _EXAMPLES.get(self.name) or _EXAMPLES_OF_KIND.get(self.kind, "text")

    def is_switch_word(self, word: str) -> bool:
        """Whether `word` turns a switch on or off."""
        return word.lower() in _SWITCH_WORDS

    def parse(self, text: str) -> Any:
        """Turn what was typed into the value that D-Tale takes.

        Raises
        ------
        UsageError
            When `text` is not a value of the option's kind.
        """
        try:
            value = self._parse(text)
        except (LookupError, TypeError, ValueError, SyntaxError):
            raise UsageError(
                f"{self.flag} takes a value of type {self.kind}, and {text!r} is none.",
                f"Type for example: {self.flag} {self.placeholder}",
            ) from None
        self._check(value)
        return value

    def _check(self, value: Any) -> None:
        if self.choices and not any(
            value == one or (one.endswith("-") and str(value).startswith(one))
            for one in self.choices
        ):
            near = difflib.get_close_matches(str(value), self.choices, n=1)
            guess = f"Did you mean {near[0]}? " if near else ""
            shown = ", ".join(f"{one}COLUMN" if one.endswith("-") else one for one in self.choices)
            raise UsageError(f"{self.flag} {value} is not known.", f"{guess}There are: {shown}.")
        if self.name == "precision" and not 0 <= value <= _MAX_DECIMALS:
            raise UsageError(
                f"--precision {value}: there can be 0 to {_MAX_DECIMALS} decimals.",
                "Type for example: --precision 4",
            )
        if self.kind == "dict" and not self._is_well_formed(value):
            raise UsageError(
                f"{self.flag} {value!r} does not say what to do with which column.",
                f"Type for example: {self.flag} {self.placeholder}",
            )

    def _is_well_formed(self, value: Any) -> bool:
        if not isinstance(value, dict):
            return False
        if self.name == "column_edit_options":
            return all(isinstance(one, (list, tuple)) for one in value.values())
        if self.name == "range_highlights":
            return all(isinstance(one, dict) and set(one) <= _HIGHLIGHTS for one in value.values())
        return self.name != "column_formats" or all(isinstance(one, dict) for one in value.values())

    def _parse(self, text: str) -> Any:
        if self.takes_columns and not self.is_switch_word(text):
            return _columns(text)
        if self.is_switch:
            return _SWITCH_WORDS[text.lower()]
        if self.kind == "int":
            return int(text)
        if self.name == "sort":  # a,b:DESC
            return _sorting(text)
        if self.kind == "list":
            return list(dict.fromkeys(_columns(text)))
        if self.kind == "dict":
            value = _literal(text)
            return _literal(value) if isinstance(value, str) else value  # in quotes, as in a shell
        value = _unquote(text)
        known = {one.casefold(): one for one in self.choices}
        return known.get(value.casefold(), value)


class ShowOptions:
    """Every show option of the installed D-Tale."""

    def __init__(self, options: Iterable[ShowOption]) -> None:
        self._by_flag = {option.flag: option for option in options}

    @classmethod
    def read(cls, defaults: Mapping[str, Any], documented_in: Iterable[Callable[..., Any]]) -> Self:
        """Read names from D-Tale's `defaults`, and kinds from the docstrings of its functions."""
        text = "\n".join(function.__doc__ or "" for function in documented_in)
        kinds = dict(_DOCUMENTED_TYPE.findall(text))
        themes, modes = _DOCUMENTED_THEMES.search(text), _DOCUMENTED_MODES.search(text)
        choices = {
            "theme": re.findall(r'"(\w+)"', themes[1]) if themes else [],
            "background_mode": _MODE.findall(modes[1]) if modes else [],
        }
        names = (name for name in defaults if name not in _OURS)
        return cls(
            ShowOption(name, kinds.get(name, "str"), tuple(choices.get(name, ()))) for name in names
        )

    @property
    def flags(self) -> list[str]:
        """Everything that can be typed, sorted."""
        return sorted(self._by_flag)

    def summary(self) -> str:
        """Say in a paragraph what can be typed."""
        typed = (
            option.flag if option.is_switch else f"{option.flag} {option.placeholder}"
            for option in sorted(self, key=lambda option: option.name)
        )
        return f"D-Tale's own show options: {', '.join(typed)}."

    def __iter__(self) -> Iterator[ShowOption]:
        return iter(self._by_flag.values())

    def __contains__(self, flag: object) -> bool:
        return flag in self._by_flag

    def __getitem__(self, flag: str) -> ShowOption:
        return self._by_flag[flag]


def _columns(text: str) -> list[str]:
    """Read ``a,'b, c'`` or ``['a', 0]``; D-Tale knows columns by their names as text."""
    if text[:1] in {"[", "("}:
        return [str(name) for name in _literal(text)]
    return [_unquote(part) for part in _split(text)]


def _sorting(text: str) -> list[tuple[str, str]]:
    """Read ``a,b:DESC``, ``[('a', 'ASC')]`` or ``{'a': 'ASC'}``."""
    if text[:1] == "{":
        return [_pair(str(column), str(way)) for column, way in _literal(text).items()]
    if text[:1] in {"[", "("}:
        given = [(one, "") if isinstance(one, str) else one for one in _literal(text)]
        return [_pair(str(column), str(way)) for column, way in given]
    pairs = [part.rpartition(":") for part in _split(text)]
    return [_pair(column, way) if colon else _pair(way, "") for column, colon, way in pairs]


def _pair(column: str, way: str) -> tuple[str, str]:
    """Return a column and its direction; a colon without one may be part of the column's name."""
    if not way or way.strip().upper() in WAYS:
        return _unquote(column.strip()), way.strip().upper() or "ASC"
    return _unquote(f"{column}:{way}"), "ASC"


def _literal(text: str) -> Any:
    """Read a literal of Python or JSON."""
    try:
        return ast.literal_eval(text)
    except ValueError:  # true, false, null
        return json.loads(text)


def _split(text: str) -> list[str]:
    """Split at commas outside quotes."""
    return [part.strip() for part in _PART.findall(text) if part.strip()]


def _unquote(text: str) -> str:
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        with contextlib.suppress(ValueError, SyntaxError):
            return str(ast.literal_eval(text))
    return text
