"""What is met at a URL when one asks there whose D-Tale it is; each cause is a type."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping

_LONGEST_TEXT = 200


@dataclass(frozen=True)
class Finding:
    """Base of all causes.

    Attributes
    ----------
    cause
        Name of the type for programs and for the page.
    glyph
        A shape, so that colour is never the only sign.
    vague
        Whether the other side can know better: a page is told little of what a browser met.
    """

    cause: ClassVar[str]
    glyph: ClassVar[str] = "✗"
    vague: ClassVar[bool] = False

    def as_dict(self) -> dict[str, Any]:
        """Return the same as plain values for JSON."""
        own = dataclasses.asdict(self)
        return {"cause": self.cause, "glyph": self.glyph, "text": str(self), **own}


@dataclass(frozen=True)
class Ours(Finding):
    """This notebook's D-Tale answered after `milliseconds`."""

    milliseconds: int = 0
    cause: ClassVar[str] = "ours"
    glyph: ClassVar[str] = "✓"

    def __str__(self) -> str:
        return f"this notebook, {self.milliseconds} ms"


@dataclass(frozen=True)
class AnotherNotebook(Finding):
    """The D-Tale of the notebook `label` answered."""

    label: str = ""
    cause: ClassVar[str] = "another-notebook"

    def __str__(self) -> str:
        return f"shows {self.label}"


@dataclass(frozen=True)
class OtherDtale(Finding):
    """A D-Tale with this extension answered, which is none of this pod's."""

    cause: ClassVar[str] = "other-dtale"

    def __str__(self) -> str:
        return "shows a D-Tale that is not of this pod"


@dataclass(frozen=True)
class WrongPrefix(Finding):
    """Asked below `asked`, D-Tale believed to be seen below `seen`, so that its links miss."""

    asked: str = ""
    seen: str = ""
    cause: ClassVar[str] = "wrong-prefix"

    def __str__(self) -> str:
        return f"the path {self.asked or '/'} arrives as {self.seen or '/'}"


@dataclass(frozen=True)
class NoRoute(Finding):
    """A 404 of something that is no D-Tale of ours."""

    cause: ClassVar[str] = "no-route"

    def __str__(self) -> str:
        return "404 of something else"


@dataclass(frozen=True)
class BadGateway(Finding):
    """502: a proxy reached nothing."""

    cause: ClassVar[str] = "bad-gateway"

    def __str__(self) -> str:
        return "502 bad gateway"


@dataclass(frozen=True)
class Unavailable(Finding):
    """503: a proxy knows no backend."""

    cause: ClassVar[str] = "unavailable"

    def __str__(self) -> str:
        return "503 no backend"


@dataclass(frozen=True)
class GatewayTimeout(Finding):
    """504: a proxy waited in vain."""

    cause: ClassVar[str] = "gateway-timeout"

    def __str__(self) -> str:
        return "504 gateway timeout"


@dataclass(frozen=True)
class SignIn(Finding):
    """A sign-in stands before it, at `where` if that was told."""

    where: str = ""
    cause: ClassVar[str] = "sign-in"

    def __str__(self) -> str:
        return f"asks for a sign-in{f' at {self.where}' if self.where else ''}"


@dataclass(frozen=True)
class SomethingElse(Finding):
    """Some other server answered, with `status`."""

    status: int = 0
    cause: ClassVar[str] = "something-else"

    def __str__(self) -> str:
        return f"something else answers, {self.status}"


@dataclass(frozen=True)
class Answers(Finding):
    """Something answers a page that may not read what."""

    cause: ClassVar[str] = "answers"
    vague: ClassVar[bool] = True

    def __str__(self) -> str:
        return "something answers that is not this notebook"


@dataclass(frozen=True)
class BadCertificate(Finding):
    """A TLS certificate that cannot be trusted, for the reason `why`."""

    why: str = ""
    cause: ClassVar[str] = "bad-certificate"

    def __str__(self) -> str:
        return f"certificate not trusted{f': {self.why}' if self.why else ''}"


@dataclass(frozen=True)
class MixedContent(Finding):
    """An https page may not show what comes by http."""

    cause: ClassVar[str] = "mixed-content"

    def __str__(self) -> str:
        return "http, which an https page may not show"


@dataclass(frozen=True)
class NameNotFound(Finding):
    """The name `host` does not resolve."""

    host: str = ""
    cause: ClassVar[str] = "name-not-found"

    def __str__(self) -> str:
        return f"the name {self.host} is not known"


@dataclass(frozen=True)
class Refused(Finding):
    """Nothing listens there."""

    cause: ClassVar[str] = "refused"

    def __str__(self) -> str:
        return "connection refused"


@dataclass(frozen=True)
class TimedOut(Finding):
    """No answer in time."""

    cause: ClassVar[str] = "timed-out"

    def __str__(self) -> str:
        return "no answer in time"


@dataclass(frozen=True)
class Unreachable(Finding):
    """The system could not connect, for the reason `why`."""

    why: str = ""
    cause: ClassVar[str] = "unreachable"

    def __str__(self) -> str:
        return f"not reachable{f': {self.why}' if self.why else ''}"


@dataclass(frozen=True)
class NoConnection(Finding):
    """A page could not connect; browsers do not tell it why."""

    cause: ClassVar[str] = "no-connection"
    vague: ClassVar[bool] = True

    def __str__(self) -> str:
        return "no connection"


_TYPES = {one.cause: one for one in Finding.__subclasses__()}


def read(said: Mapping[str, Any]) -> Finding:
    """Read what a page found; `ValueError` for what it cannot have found.

    Parameters
    ----------
    said
        As `Finding.as_dict` returns it; fields that are missing or unknown do not count.
    """
    kind = _TYPES.get(str(said.get("cause")))
    if kind is None:
        raise ValueError("There is no such cause.")
    fields = {}
    for field in dataclasses.fields(kind):
        value = said.get(field.name, field.default)
        if type(value) is not type(field.default):
            raise ValueError(f"{field.name} has the wrong type.")
        fields[field.name] = value[:_LONGEST_TEXT] if isinstance(value, str) else value
    return kind(**fields)
