"""D-Tale's own show options as command-line options, read off D-Tale itself."""

from __future__ import annotations

import ast
import contextlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dtale_magics.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from typing_extensions import Self

_OURS = {"app_root", "debug", "force", "host", "ignore_duplicate", "notebook", "port", "reaper_on"}
_OURS |= {"subprocess"}
_DOCUMENTED_TYPE = re.compile(r":type (\w+): *(\w+)")
_PART = re.compile(r"""(?:'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|[^,'"]|['"])+""")
"""What stands between two commas; a quote that is not closed is a character like any other."""

WAYS = ("ASC", "DESC")
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
_SWITCH_WORDS = {"true": True, "yes": True, "false": False, "no": False}


@dataclass(frozen=True)
class ShowOption:
    """One option of ``dtale.show``.

    Attributes
    ----------
    name
        As D-Tale's keyword, for example ``hide_columns``.
    kind
        The first word of its documented type: ``bool``, ``int``, ``list``, ``dict``, ``str``.
    """

    name: str
    kind: str

    @property
    def flag(self) -> str:
        """As it is typed: ``--hide-columns``."""
        return "--" + self.name.replace("_", "-")

    @property
    def is_switch(self) -> bool:
        """Whether it stands alone (``--theme`` does not, ``--hide-shutdown`` does)."""
        return self.kind.startswith("bool")

    @property
    def takes_columns(self) -> bool:
        """Whether this switch can be given columns instead, which are then what it is on for."""
        return self.name == "allow_cell_edits"

    @property
    def placeholder(self) -> str:
        """A value for example."""
        return _EXAMPLES.get(self.name) or _EXAMPLES_OF_KIND.get(self.kind, "text")

    def is_switch_word(self, word: str) -> bool:
        """Whether `word` turns a switch on or off."""
        return word.lower() in _SWITCH_WORDS

    def parse(self, text: str) -> Any:
        """Turn what was typed into the value that D-Tale takes.

        Raises
        ------
        UsageError
            When `text` is no value of the option's kind.
        """
        try:
            return self._parse(text)
        except (LookupError, ValueError, SyntaxError):
            raise UsageError(
                f"{self.flag} takes a value of type {self.kind}, and {text!r} is none.",
                f"Type for example: {self.flag} {self.placeholder}",
            ) from None

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
            return _columns(text)
        if self.kind == "dict" or text[:1] in "[({":
            return ast.literal_eval(text)
        return _unquote(text)


class ShowOptions:
    """Every show option of the installed D-Tale."""

    def __init__(self, options: Iterable[ShowOption]) -> None:
        self._by_flag = {option.flag: option for option in options}

    @classmethod
    def read(cls, defaults: Mapping[str, Any], documented_in: Iterable[Callable[..., Any]]) -> Self:
        """Read names off D-Tale's `defaults`, kinds off the docstrings of its functions."""
        text = "\n".join(function.__doc__ or "" for function in documented_in)
        kinds = dict(_DOCUMENTED_TYPE.findall(text))
        names = (name for name in defaults if name not in _OURS)
        return cls(ShowOption(name, kinds.get(name, "str")) for name in names)

    @property
    def flags(self) -> list[str]:
        """Everything that can be typed, sorted."""
        return sorted(self._by_flag)

    def __contains__(self, flag: object) -> bool:
        return flag in self._by_flag

    def __getitem__(self, flag: str) -> ShowOption:
        return self._by_flag[flag]


def _columns(text: str) -> list[str]:
    """Read ``a,'b, c'`` or ``['a', 0]``; D-Tale knows columns by their names as text."""
    if text[:1] in {"[", "("}:
        return [str(name) for name in ast.literal_eval(text)]
    return [_unquote(part) for part in _split(text)]


def _sorting(text: str) -> list[tuple[str, str]]:
    """Read ``a,b:DESC`` or ``[('a', 'ASC')]``."""
    if text[:1] in {"[", "("}:
        given = ast.literal_eval(text)
        return [
            (pair, "ASC") if isinstance(pair, str) else (str(pair[0]), str(pair[1]).upper())
            for pair in given
        ]
    pairs = []
    for part in _split(text):
        column, _, way = part.rpartition(":")
        known = way.strip().upper() in WAYS and column
        # A colon may be part of the column's name, which has to be seen in the frame.
        pairs.append((_unquote(column if known else part), way.strip().upper() if known else "ASC"))
    return pairs


def _split(text: str) -> list[str]:
    """Split at commas that are in no quotes."""
    return [part.strip() for part in _PART.findall(text) if part.strip()]


def _unquote(text: str) -> str:
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        with contextlib.suppress(ValueError, SyntaxError):
            return str(ast.literal_eval(text))
    return text
