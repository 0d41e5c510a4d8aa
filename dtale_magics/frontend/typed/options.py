"""The one table of what can be typed after ``%dtale`` and ``%dtale_port``.

Parsing, help (``-h``, ``%dtale?``), completion and the table in the README come from it. A new
option is one entry here, and a function that asks the session.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from dtale_magics.errors import UsageError
from dtale_magics.frontend import report
from dtale_magics.frontend.typed import commands, links
from dtale_magics.frontend.typed.words import count_from
from dtale_magics.page.links import duration
from dtale_magics.settings import parse_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dtale_magics.frontend.typed.commands import Answer

SEVERAL = "…"
"""End of the placeholder of an option that takes every word up to the next option."""

HELP = frozenset({"-h", "--help", "help", "?"})
"""Words that show the help if nothing else was typed."""

OFF = "off"
"""Word that ends what an option has begun."""

_WIDTH = 96
_SAMPLES = {"N": "10000", "NAME": "sales"}
"""An example value for each placeholder that is not one itself."""

_MIN_HEIGHT, _MAX_HEIGHT = 150, 5000


@dataclass(frozen=True)
class Option:
    """One option of a magic.

    Attributes
    ----------
    flag
        The flag as typed.
    says
        What it does, for the help and the README.
    placeholder
        Name of its value; empty for a switch, with `SEVERAL` at its end for many values.
    choices
        Words that are its values: a switch may be followed by one of them, any other option must.
    answer
        Action of an option that stands alone, without a frame. It gets the session and the value:
        True for a switch, a list if `placeholder` ends with `SEVERAL`.
    given
        Name of an attribute of the magics that `answer` gets instead of the session.
    keyword
        For an option that goes with a frame: the argument of `Session.show` that its value becomes.
    convert
        Converts the text to that argument; it also gets the flag, for its error.
    example
        What the help and the README show instead of the flag and its placeholder.
    is_text
        Whether its value is free text for the reader, and not the name of anything.
    goes_with
        The flag of an option that stands alone except for this one; then `keyword` is an argument
        of the other's `answer`.
    """

    flag: str
    says: str
    placeholder: str = ""
    choices: tuple[str, ...] = ()
    answer: Callable[..., Answer] | None = None
    given: str = "session"
    keyword: str = ""
    convert: Callable[[str, str], Any] | None = None
    example: str = ""
    is_text: bool = False
    goes_with: str = ""

    @property
    def takes_several(self) -> bool:
        """Whether it takes more than one value."""
        return self.placeholder.endswith(SEVERAL)

    @property
    def for_example(self) -> str:
        """A line that works, with a value."""
        value = _SAMPLES.get(self.placeholder, self.placeholder) or "".join(self.choices[:1])
        magic = "%dtale" if self.answer else "%dtale df"
        return self.example or f"{magic} {self.flag} {value}".rstrip()

    @property
    def typed(self) -> str:
        """The flag with its placeholder, if it has one."""
        return f"{self.flag} {self.placeholder}".rstrip()


class Example(NamedTuple):
    """Something to type that is not an option."""

    typed: str
    says: str


@dataclass(frozen=True)
class Magic:
    """One magic: what can be typed after its name.

    Attributes
    ----------
    name
        Its name, with the percent sign.
    says
        What it is for.
    rows
        Its options and examples, in the order in which help and README list them.
    notes
        Paragraphs below that list.
    """

    name: str
    says: str
    rows: tuple[Example | Option, ...]
    notes: tuple[str, ...] = ()

    @property
    def options(self) -> dict[str, Option]:
        """The options by flag."""
        return {row.flag: row for row in self.rows if isinstance(row, Option)}

    def listing(self) -> Iterator[tuple[str, str]]:
        """Yield what to type, and what it does."""
        for row in self.rows:
            if isinstance(row, Example):
                yield row
            elif row.example or row.answer:
                yield row.example or f"{self.name} {row.typed}", row.says
            else:
                yield f"{self.name} df {row.typed}", row.says

    def help(self, more: str = "") -> str:
        """Say what can be typed, in lines for a screen, and `more` at the end."""
        lines = [self.says, ""]
        for typed, says in self.listing():
            indent = " " * 32
            text = textwrap.fill(
                says.replace("`", ""), _WIDTH, initial_indent=indent, subsequent_indent=indent
            )
            lines += (
                [typed, text]
                if len(typed) > len(indent) - 2
                else [typed.ljust(len(indent)) + text.lstrip()]
            )
        for note in (*self.notes, *filter(None, [more])):
            lines += ["", textwrap.fill(note.replace("`", ""), _WIDTH)]
        return "\n".join(lines)


_ONE_EXPRESSION = (
    "A line holds one expression, as Python reads it, in the scope where it stands: braces, "
    "quotes, comments and a `;` are Python's. A lone `{name}` or `$name` is the variable whose "
    'name it holds, and options have their braces filled in: `--name "part {name}"`. One frame at '
    "a time; for several lines, put `%%dtale` above a cell. A word "
    "behind `--` that is an option is one: to subtract, write `a - -b`."
)
_COLUMN_NAMES = (
    "Names of columns are separated by commas; put quotes around one that has a comma, a colon "
    "or a space in it: `--hide-columns 'a, b',c`."
)
_WHICH_FRAME = (
    "A frame is its name in its cell: run again, the cell updates it in place. The same name in a "
    "loop or in another cell is a frame of its own, `df (2)`."
)
_WHAT_IS_KEPT = (
    "What stays when its cell is run again: filters, sorting, formats, locked, hidden and moved "
    "columns, and what options set, as far as they apply to the new values; what does not is "
    "named. What is typed now wins, and `--reset` leaves out the rest. `--drop-index`, "
    "`--inplace`, `--optimize-dataframe` and `--sample` hold for one show. What was edited in the "
    "grid gives way to the variable, and `--edited` has it."
)


def _name(text: str, flag: str) -> str:
    """Check a name for a frame."""
    if not text.strip():
        raise UsageError(f"{flag} is empty.", f"Type for example: {flag} sales")
    return text.strip()


def _height(text: str, flag: str) -> int:
    """Read the maximum height of a grid."""
    number = text.strip().removesuffix("px")
    if number.isdecimal() and len(number) < 5 and _MIN_HEIGHT <= int(number) <= _MAX_HEIGHT:  # noqa: PLR2004 (digits)
        return int(number)
    raise UsageError(
        f"{flag} takes a number of pixels from {_MIN_HEIGHT} to {_MAX_HEIGHT}, and {text!r} is "
        "none.",
        f"Type for example: {flag} 600",
    )


DTALE = Magic(
    "%dtale",
    "Show a frame in D-Tale, below a link that is this notebook's alone.",
    (
        Example("%dtale", "the panel alone: what this notebook's D-Tale shows, and where"),
        Example(
            "%dtale df",
            "shows a frame, or any expression; running the cell again updates it in place, and "
            "filters, sorting and options that still apply stay",
        ),
        Example(
            "%dtale df --theme dark --hide-columns a,b --sort a:DESC",
            "the same, with D-Tale's own show options; press Tab after `--`",
        ),
        Example(
            "%%dtale --theme dark",
            "above a cell of several lines: runs it, and shows the expression that it ends with",
        ),
        Example("inst = %dtale df", "hands D-Tale's instance to your code"),
        Option(
            "--name",
            "names the frame, in lists and for `--drop` and `--data`",
            "NAME",
            keyword="name",
            convert=_name,
            is_text=True,
        ),
        Option(
            "--reset",
            "shows it afresh, without the filters, sorting and options that earlier shows left",
            keyword="reset",
        ),
        Option(
            "--rows",
            "shows the first N rows; without it, 100,000 of a lazy frame, a query or a cursor",
            "N",
            keyword="rows",
            convert=count_from,
        ),
        Option(
            "--sample",
            "shows that many of its rows, chosen at random; that is quicker for a large frame",
            "10000",
            keyword="sample",
            convert=count_from,
        ),
        Option(
            "--height",
            "lets its grid become that many pixels tall",
            "600",
            keyword="height",
            convert=_height,
        ),
        Option(
            "--port",
            "serves on that port from now on",
            "40005",
            keyword="port",
            convert=parse_port,
        ),
        Option(
            "--force",
            "the same, and is in front there",
            keyword="force",
            example="%dtale df --port 40005 --force",
        ),
        Option(
            "--watch",
            "shows it anew after each cell that has changed `df`; `--watch off` ends that",
            choices=(OFF,),
            keyword="watch",
        ),
        Option(
            "--auto",
            "shows every frame that a cell ends with; `--auto off` ends that",
            "on",
            choices=("on", OFF),
            answer=commands.auto,
            given="auto_show",
        ),
        Option(
            "--data",
            "gives the frame as the grid has it, filtered, sorted and edited",
            "NAME…",
            answer=commands.data,
            example="kept = %dtale --data df",
        ),
        Option(
            "--edited",
            "gives all its rows with the edits made in the grid, even after its cell was run again",
            "NAME…",
            answer=commands.edited,
            example="edited = %dtale --edited df",
        ),
        Option(
            "--list",
            "every D-Tale and its frames, with their cells and memory",
            answer=commands.list_all,
        ),
        Option(
            "--drop",
            "forgets frames, every one of each name; `--drop all` forgets all",
            "NAME…",
            answer=commands.drop,
            example="%dtale --drop df",
        ),
        Option(
            "--page",
            "one page for all notebooks and frames of the pod, below a link that lasts",
            answer=links.page,
            keyword="page",
            goes_with="--new-link",
        ),
        Option(
            "--share",
            "makes a link by which others can look at the frame, sort and filter it, and do "
            "nothing else; it is valid for 8 hours",
            "NAME…",
            answer=links.share,
            example="%dtale --share df",
        ),
        Option(
            "--for",
            "the same, valid for that long: `30m`, `8h`, `7d`",
            "8h",
            keyword="seconds",
            convert=duration,
            example="%dtale --share df --for 8h",
            goes_with="--share",
        ),
        Option(
            "--links",
            "the look-only links, and when they expire",
            answer=links.links,
        ),
        Option(
            "--revoke",
            "revokes such links at once: by number, by a frame's name, or `all`",
            "NAME…",
            keyword="revoke",
            example="%dtale --links --revoke df",
            goes_with="--links",
        ),
        Option(
            "--new-link",
            "gives this notebook new links; the old ones are dead at once",
            answer=links.new_link,
        ),
        Example(
            "%dtale --new-link --page",
            "gives the pod's page a new link; the old one is dead in every kernel",
        ),
        Option(
            "--stop",
            "gives the port back; frames are kept, and `%dtale df` goes on",
            answer=commands.stop,
        ),
        Option(
            "--report",
            "versions, settings and what was met on the ways to D-Tale, for an issue: no link, no "
            "name, no data",
            answer=report.report,
        ),
    ),
    notes=(
        _ONE_EXPRESSION,
        _COLUMN_NAMES,
        _WHICH_FRAME,
        _WHAT_IS_KEPT,
    ),
)

DTALE_PORT = Magic(
    "%dtale_port",
    "Show or set the ports of this notebook's D-Tale.",
    (
        Example(
            "%dtale_port", "the bound port, the range, and who is in front at the ingress port"
        ),
        Example(
            "%dtale_port 40000 40010",
            "looks for ports in this range from now on (`40000-40010` too)",
        ),
        Option("--reset", "returns to the configured range", answer=commands.reset_range),
        Example(
            "%dtale_port 40005", "serves on that port; `%dtale df --port 40005` does both at once"
        ),
        Option(
            "--take",
            "makes this notebook the one in front at the ingress port",
            answer=commands.take,
        ),
        Option(
            "--release",
            "lets the notebook that was in front before be in front again",
            answer=commands.release,
        ),
        Option(
            "--check",
            "finds out by which URL the kernel and the browser get here; if by none, which layer "
            "is broken and what to do",
            answer=commands.check,
        ),
        Option(
            "--force",
            "serves on that port and is in front there",
            keyword="force",
            example="%dtale_port 40005 --force",
        ),
    ),
)


def readme_table() -> str:
    """Return the table of the README in Markdown."""
    rows = [*DTALE.listing(), *DTALE_PORT.listing()]
    lines = [f"| `{typed}` | {says} |" for typed, says in rows]
    return "\n".join(["| input | what it does |", "|---|---|", *lines])
