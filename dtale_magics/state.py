"""What a kernel's D-Tale is doing, as plain values."""

from __future__ import annotations

import dataclasses
import enum
from typing import TYPE_CHECKING, Any, NamedTuple

from dtale_magics.wording import frame_text

if TYPE_CHECKING:
    from dtale_magics.settings import PortRange


class Audience(enum.Enum):
    """Who asks for the ingress port, and so has to know which notebook is in front there."""

    INGRESS = "those who come through an ingress"
    MACHINE = "those who are on this machine, or come through a tunnel to it"
    NOBODY = "nobody: each notebook has an address of its own"


class Frame(NamedTuple):
    """A frame that a kernel shows."""

    name: str
    data_id: str
    rows: int
    columns: int


@dataclasses.dataclass(frozen=True)
class Cell:
    """The cell that is running.

    Attributes
    ----------
    cell_id
        The front end's id of it, which does not change with its text; empty if there is none, as in
        consoles and under nbclient.
    run
        Id of this run of it.
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
        As in `FrameInfo`.
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
        The variable or expression that it came from, shortened; with a number, ``df (2)``, if there
        are several of that name.
    data_id
        D-Tale's id.
    rows, columns
        Its own shape: an index does not count as columns.
    url
        Local URL of its grid; None while nothing is bound. It is not in the text form, because the
        value of a cell is saved with the notebook.
    cell
        Number of the cell that showed it; 0 if that is not known.
    memory
        Bytes of its values, as D-Tale holds them, including those shared with the user's own frame.
    shown
        Ordinal of its show in this kernel; 0 for frames of plain ``dtale.show``.
    newer
        What a later cell showed under its name; this one stays as it was then.
    notes
        What the reader has to know about the values, and what its last show could not keep.
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
        Name of the notebook, or what is known about the process.
    pid
        Process id; None if the system hides it.
    since
        When the port was bound, or else when the process started, in seconds since the epoch.
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
        Where to look for ports.
    port
        The port of `url`; None while nothing is bound.
    ports
        Every bound port.
    url
        Local URL, ``http://127.0.0.1:<port>/<slug>/``; None while nothing is bound. Like that of a
        frame, it is not in the text form.
    ingress_port
        The port that the ingress exposes.
    holds_ingress
        Whether this kernel has it.
    ingress_holder
        Who has it; None if it is free.
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
