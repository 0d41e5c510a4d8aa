"""Outcomes of attempts to get a port: frozen types, which each front end renders in its own way."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dtale_magics.errors import PortUnavailableError
from dtale_magics.wording import clock

if TYPE_CHECKING:
    from dtale_magics.state import Frame


@dataclass(frozen=True)
class Party:
    """Somebody who has or had a port.

    Attributes
    ----------
    label
        Notebook's name, or the command of another process.
    pid
        Process id, if known.
    since
        When the port became theirs, in seconds since the epoch; None if not known.
    owner
        Random id of a sibling kernel; empty for anybody else.
    """

    label: str
    pid: int | None
    since: float | None = None
    owner: str = ""

    def __str__(self) -> str:
        process = "" if self.pid is None else f" (process {self.pid})"
        since = "" if self.since is None else f", there since {clock(self.since)}"
        return f"{self.label}{process}{since}"


@dataclass(frozen=True)
class Outcome:
    """Base of all outcomes.

    Attributes
    ----------
    port
        The port that was asked for.
    seconds
        How long it took.
    """

    port: int
    seconds: float = field(default=0.0, kw_only=True)

    @property
    def ours(self) -> bool:
        """Whether this kernel has the port now, and is in front there."""
        return True

    @property
    def refused(self) -> bool:
        """Whether nothing was done."""
        return False

    def require(self) -> None:
        """Raise `PortUnavailableError` unless the port is now this kernel's."""
        if not self.ours:
            raise PortUnavailableError([self.port], self.what, self.advice)

    @property
    def what(self) -> str:
        """What happened, in one or two sentences."""
        raise NotImplementedError

    @property
    def advice(self) -> str:
        """What to type or to do; empty if there is nothing to do."""
        return ""

    def __str__(self) -> str:
        return "\n".join(filter(None, [self.what, self.advice]))

    @property
    def _took(self) -> str:
        return f"in {self.seconds * 1000:.1f} ms"


@dataclass(frozen=True)
class Free(Outcome):
    """Nobody had the port."""

    @property
    def what(self) -> str:
        """Say what happened."""
        return f"Port {self.port} was free and is this notebook's now."


@dataclass(frozen=True)
class AlreadyOurs(Outcome):
    """This kernel had the port."""

    @property
    def what(self) -> str:
        """Say what happened."""
        return f"This notebook was in front at port {self.port} already."


@dataclass(frozen=True)
class Joined(Outcome):
    """The port is shared with siblings, one of which handed out its sockets."""

    holder: Party

    @property
    def what(self) -> str:
        """Say what happened."""
        return f"Port {self.port} is shared with {self.holder}."


@dataclass(frozen=True)
class Steered(Outcome):
    """The port was steered away from siblings that do not answer; `holder` is one of them."""

    holder: Party

    @property
    def what(self) -> str:
        """Say what happened."""
        return (
            f"Port {self.port} was taken {self._took}, as {self.holder} does not answer; it shares "
            "the port again when it does, and this notebook is in front."
        )


@dataclass(frozen=True)
class InFront(Outcome):
    """This notebook is in front of the others that share the port, in place of `holder`."""

    holder: Party

    @property
    def what(self) -> str:
        """Say what happened."""
        return (
            f"This notebook is in front at port {self.port}, in place of {self.holder.label}. "
            "Links of both go on."
        )


@dataclass(frozen=True)
class ReplacedPlainDtale(Outcome):
    """A D-Tale without this extension was shut down by its own ``/shutdown``.

    Attributes
    ----------
    lost
        The frames that it showed and has lost.
    """

    holder: Party
    lost: tuple[Frame, ...] = ()

    @property
    def what(self) -> str:
        """Say what happened."""
        text = f"Port {self.port} was taken from the plain D-Tale of {self.holder} {self._took}."
        if not self.lost:
            return text
        frames = ", ".join(
            f"{frame.name or frame.data_id} ({frame.rows} rows)" for frame in self.lost
        )
        return f"{text} That notebook's D-Tale has lost: {frames}. Its variables are untouched."


@dataclass(frozen=True)
class GivenBack(Outcome):
    """Another notebook is in front again; the port goes on being shared."""

    to: Party

    @property
    def ours(self) -> bool:
        """Whether this kernel has what was asked for."""
        return False

    @property
    def what(self) -> str:
        """Say what happened."""
        return (
            f"{self.to.label} is in front at port {self.port} again. Links of this notebook go on."
        )


@dataclass(frozen=True)
class Refused(Outcome):
    """Nothing has changed at the port.

    Attributes
    ----------
    why
        Who has it, and why it cannot be done.
    hint
        What to type or to do.
    holder
        Who has it, if one process is known.
    wanted
        What was to be done with the port: ``taken``, ``given back``.
    """

    why: str
    hint: str
    holder: Party | None = None
    wanted: str = field(default="taken", kw_only=True)

    @property
    def refused(self) -> bool:
        """Whether nothing was done."""
        return True

    @property
    def ours(self) -> bool:
        """Whether this kernel has the port now, and is in front there."""
        return False

    @property
    def what(self) -> str:
        """Say what could not be done, and why."""
        return f"Port {self.port} was not {self.wanted}: {self.why}"

    @property
    def advice(self) -> str:
        """The hint."""
        return self.hint
