"""D-Tale's own show options as command-line options, read off D-Tale itself."""

from __future__ import annotations

import ast
import difflib
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
            example = {"bool": "true", "int": "2", "dict": "{'price': {'fmt': '0.00'}}"}.get(
                self.kind, "a,b"
            )
            raise UsageError(
                f"{self.flag} takes a value of type {self.kind}, and {text!r} is none.",
                f"Type for example: {self.flag} {example}",
            ) from None

    def _parse(self, text: str) -> Any:
        if self.is_switch:
            return _SWITCH_WORDS[text.lower()]
        if self.kind == "int":
            return int(text)
        if self.kind == "dict" or text[:1] in "[({":
            return ast.literal_eval(text)
        if self.name == "sort":  # a,b:DESC
            pairs = (part.partition(":") for part in text.split(","))
            return [(column.strip(), way.strip().upper() or "ASC") for column, _, way in pairs]
        if self.kind == "list":
            return [part.strip() for part in text.split(",")]
        return text


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

    def is_switch_word(self, flag: str, word: str) -> bool:
        """Whether `word` can be the value of `flag`, if that is a switch."""
        return not self._by_flag[flag].is_switch or word.lower() in _SWITCH_WORDS

    def __contains__(self, flag: object) -> bool:
        return flag in self._by_flag

    def __getitem__(self, flag: str) -> ShowOption:
        return self._by_flag[flag]


def unknown_option(flag: str, known: Iterable[str]) -> UsageError:
    """Make the error for an option that does not exist, with the nearest that does."""
    near = difflib.get_close_matches(flag, list(known), n=1)
    hint = f"Did you mean {near[0]}?" if near else "%dtale? lists the options."
    return UsageError(f"There is no option {flag}.", hint)
