"""What a kernel's D-Tale is doing, as plain values."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, NamedTuple

from dtale_magics.wording import frame_text

if TYPE_CHECKING:
    from dtale_magics.settings import PortRange


class Frame(NamedTuple):
    """A frame that a kernel shows."""

    name: str
    data_id: str
    rows: int
    columns: int


@dataclasses.dataclass(frozen=True)
class Cell:
    """The cell that runs.

    Attributes
    ----------
    cell_id
        What the front end calls it, whatever is typed into it; empty where it does not say, as in
        consoles and under nbclient.
    run
        Another one each time that it runs.
    number
        Its number, as in ``[3]``; 0 if it has none.
    """

    cell_id: str = ""
    run: str = ""
    number: int = 0

    def __str__(self) -> str:
        return f"[{self.number}]"


@dataclasses.dataclass(frozen=True)
class Newer:
    """A frame that a later cell showed under the same name.

    Attributes
    ----------
    name, data_id, cell, shown
        As of a `FrameInfo`.
    """

    name: str
    data_id: str
    cell: int
    shown: int = dataclasses.field(default=0, compare=False)


@dataclasses.dataclass(frozen=True)
class FrameInfo:
    """A frame that D-Tale shows.

    Attributes
    ----------
    name
        The variable or expression that it came from, shortened; with a number, ``df (2)``, where
        there are several.
    data_id
        D-Tale's id.
    rows, columns
        Its own shape: an index does not count as columns.
    url
        Local URL of its grid; None while nothing is bound. A frame that is shown as the value of a
        cell leaves it out, as that is saved with the notebook.
    cell
        Number of the cell that showed it; 0 if that is not known.
    memory
        Bytes of its values, as D-Tale holds them. What the user's own frame has in common with
        them is counted here as well.
    shown
        Counts shows in this kernel: greater for what was shown later, 0 for what plain
        ``dtale.show`` brought.
    newer
        What a later cell showed under its name: this one is as it was then.
    notes
        What the reader has to know of the values, and what the last show of it could not keep.
    """

    name: str
    data_id: str
    rows: int
    columns: int
    url: str | None = dataclasses.field(repr=False)
    cell: int = 0
    memory: int = 0
    shown: int = dataclasses.field(default=0, compare=False)
    newer: Newer | None = None
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        return frame_text(self.name, self.rows, self.columns)


@dataclasses.dataclass(frozen=True)
class PortHolder:
    """Who has a port.

    Attributes
    ----------
    port
        The port.
    kind
        ``this kernel``, ``notebook`` (another kernel with dtale_magics) or ``process``.
    label
        Name of the notebook, or what is known of the process.
    pid
        Process id; None where the system hides it.
    since
        When the port was bound, or else when the process was started: seconds since the epoch.
    """

    port: int
    kind: str
    label: str
    pid: int | None = None
    since: float | None = None


@dataclasses.dataclass(frozen=True)
class Status:
    """State of this kernel's D-Tale.

    Attributes
    ----------
    owner
        Random public id of this kernel's D-Tale.
    label
        Name of the notebook.
    pid
        Process id of the kernel.
    range
        Where ports are looked for.
    port
        The port of `url`; None while nothing is bound.
    ports
        Every bound port.
    url
        Local URL, ``http://127.0.0.1:<port>/<slug>/``; None while nothing is bound. Not in the
        text form, as that of a frame.
    ingress_port
        The port that the ingress exposes.
    holds_ingress
        Whether this kernel has it.
    ingress_holder
        Who has it; None when it is free.
    frames
        What D-Tale shows, oldest first.
    open_access
        Whether D-Tale answers without the link.
    """

    owner: str
    label: str
    pid: int
    range: PortRange
    port: int | None
    ports: tuple[int, ...]
    url: str | None = dataclasses.field(repr=False)
    ingress_port: int
    holds_ingress: bool
    ingress_holder: PortHolder | None
    frames: tuple[FrameInfo, ...]
    open_access: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Return the same as nested dicts, lists and plain values, ready for JSON."""
        holder = self.ingress_holder
        return {
            **vars(self),
            "range": list(self.range),
            "ports": list(self.ports),
            "ingress_holder": None if holder is None else {**vars(holder)},
            "frames": [dataclasses.asdict(frame) for frame in self.frames],
        }
