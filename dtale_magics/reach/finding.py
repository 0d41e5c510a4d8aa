"""What a probe meets when it asks at a URL whose D-Tale it is: a cause, and its details."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dtale_magics.reach import causes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dtale_magics.reach.causes import Cause, Place

_MAX_TEXT = 200


@dataclass(frozen=True)
class Explanation:
    """What a finding means, and what to do about it: one sentence each."""

    meaning: str
    advice: str


@dataclass(frozen=True)
class Finding:
    """What was met at one URL.

    Attributes
    ----------
    cause
        One of `dtale_magics.reach.causes`.
    milliseconds
        How long this notebook's D-Tale took to answer.
    label
        Name of the notebook that answered.
    asked, seen
        The path that was asked below, and the path below which D-Tale believes it is seen.
    where
        Where to sign in, if that is known.
    status
        HTTP status, if something else answered.
    why
        What the system says about a connection or a certificate.
    host
        The name that does not resolve.
    """

    cause: Cause
    milliseconds: int = 0
    label: str = ""
    asked: str = ""
    seen: str = ""
    where: str = ""
    status: int = 0
    why: str = ""
    host: str = ""

    @property
    def glyph(self) -> str:
        """A shape, so that colour is never the only sign."""
        return self.cause.glyph

    @property
    def is_ours(self) -> bool:
        """Whether this notebook's D-Tale was met."""
        return self.cause is causes.OURS

    @property
    def fields(self) -> dict[str, Any]:
        """The fields that belong to the cause, by name."""
        return {name: getattr(self, name) for name in self.cause.fields}

    def __str__(self) -> str:
        fields = self._words()
        detailed = self.cause.fields and fields[self.cause.fields[0]]
        return (self.cause.text + (self.cause.detail if detailed else "")).format(**fields)

    def as_dict(self) -> dict[str, Any]:
        """Return the same as plain values for JSON."""
        named = {"cause": self.cause.name, "glyph": self.glyph, "text": str(self)}
        return {**named, **self.fields}

    def explain(self, place: Place) -> Explanation:
        """Say what it means to meet this at `place`, if nothing better is reached."""
        holds = (special for special in self.cause.specials if special.when(place))
        said = next(holds, self.cause)
        words = {**place.words(), **self._words()}
        return Explanation(said.meaning.format(**words), said.advice.format(**words))

    def _words(self) -> dict[str, Any]:
        paths = {name: getattr(self, name) or "/" for name in ("asked", "seen")}
        return {**self.fields, **paths}


def read(said: Mapping[str, Any]) -> Finding:
    """Read what a page found; `ValueError` for anything that it cannot have found.

    Parameters
    ----------
    said
        As `Finding.as_dict` returns it; missing and unknown fields do not matter.
    """
    cause = causes.ALL.get(str(said.get("cause")))
    if cause is None:
        raise ValueError("There is no such cause.")
    defaults: dict[str, Any] = {field.name: field.default for field in dataclasses.fields(Finding)}
    fields: dict[str, Any] = {}
    for name in cause.fields:
        value = said.get(name, defaults[name])
        if type(value) is not type(defaults[name]):
            raise ValueError(f"{name} has the wrong type.")
        fields[name] = value[:_MAX_TEXT] if isinstance(value, str) else value
    return Finding(cause, **fields)
