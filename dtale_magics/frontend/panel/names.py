"""Puts the current names of notebooks into sentences that were made before a rename."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

_T = TypeVar("_T")


class Names:
    """Remembers the names that each notebook had."""

    def __init__(self) -> None:
        self._now: dict[str, str] = {}
        self._former: dict[str, str] = {}
        """Owner of each name that a notebook no longer has."""

    def know(self, labels: Mapping[str, str], own: str) -> bool:
        """Note what notebooks are called.

        Parameters
        ----------
        labels
            Name of each notebook by its owner id.
        own
            This notebook's owner id.

        Returns
        -------
        bool
            Whether this notebook was renamed.
        """
        renamed = False
        for owner, label in labels.items():
            before = self._now.get(owner, label)
            if before != label:
                self._former[before] = owner
                renamed = renamed or owner == own
            self._now[owner] = label
        for label in self._now.values():
            self._former.pop(label, None)  # a name that is in use again belongs to its new user
        return renamed

    def up_to_date(self, said: _T) -> _T:
        """Replace former names in `said`: a text, or a tuple or dataclass with texts in it."""
        return self._replaced(said) if self._former else said  # type: ignore[return-value]

    def _replaced(self, said: object) -> object:
        if isinstance(said, str):
            for former, owner in self._former.items():
                # Only whole words: "train.ipynb" is not a part of "retrain.ipynb".
                word = rf"(?<![\w.-]){re.escape(former)}(?![\w-]|\.\w)"
                said = self._now[owner].join(re.split(word, said))
            return said
        if isinstance(said, tuple):
            return tuple(self._replaced(one) for one in said)
        if dataclasses.is_dataclass(said) and not isinstance(said, type):
            fields = [one.name for one in dataclasses.fields(said)]
            return dataclasses.replace(
                said, **{name: self._replaced(getattr(said, name)) for name in fields}
            )
        return said
