"""A row of the table: medians of ours and of what it is compared to, with their spread."""

from __future__ import annotations

import statistics
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PLAIN = "plain D-Tale"


@dataclass(frozen=True)
class Sample:
    """Measurements of one thing."""

    values: tuple[float, ...]

    @classmethod
    def of(cls, values: Iterable[float]) -> Sample:
        return cls(tuple(values))

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def spread(self) -> tuple[float, float]:
        """First and third quartile; of a few values, the least and the greatest."""
        if len(self.values) < 4:
            return min(self.values), max(self.values)
        first, _, third = statistics.quantiles(self.values, n=4)
        return first, third

    def __str__(self) -> str:
        low, high = self.spread
        shown = number(self.median)
        return shown if number(low) == number(high) else f"{shown} ({number(low)}-{number(high)})"


@dataclass(frozen=True)
class Row:
    """What was measured, beside what, and what is wanted.

    Attributes
    ----------
    name
        What was done.
    unit
        Of both samples; less is better.
    ours, other
        What this project costs, and what the other one does; `other` may be missing.
    goal
        The ratio of the medians is to be at most this; it decides the exit code.
    beside
        What `other` is.
    wish
        A goal in absolute figures, in words; it decides nothing, as machines differ.
    note
        What a reader should know.
    """

    name: str
    unit: str
    ours: Sample
    other: Sample | None = None
    goal: float | None = None
    beside: str = PLAIN
    wish: str = ""
    note: str = ""

    @property
    def ratio(self) -> float | None:
        if self.other is None or not self.other.median:
            return None
        return self.ours.median / self.other.median

    @property
    def verdict(self) -> str:
        """``yes``, ``NO``, or ``noise`` when the spread of both is wider than what is missing."""
        if self.goal is None or self.ratio is None or self.other is None:
            return ""
        if self.ratio <= self.goal:
            return "yes"
        best = self.ours.spread[0] / self.other.spread[1]
        return "noise" if best <= self.goal else "NO"

    @property
    def missed(self) -> bool:
        return self.verdict == "NO"

    def cells(self) -> tuple[str, ...]:
        """Render the columns of `HEAD`."""
        name = self.name if self.beside == PLAIN else f"{self.name} (beside {self.beside})"
        goal = self.wish if self.goal is None else f"<= {self.goal:g}"
        ratio = "" if self.ratio is None else number(self.ratio)
        other = "" if self.other is None else str(self.other)
        return (name, self.unit, str(self.ours), other, ratio, goal, self.verdict, self.note)

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "ratio": self.ratio, "verdict": self.verdict}


HEAD = ("row", "unit", "ours", "plain", "ratio", "goal", "met", "note")


def number(value: float) -> str:
    """Three digits are more than a shared machine gives."""
    if value == 0 or 1000 <= abs(value) < 1e9:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def percentile(values: Sequence[float], percent: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def markdown(rows: Sequence[Row]) -> str:
    """Render the table for docs/performance.md."""
    lines = ["| " + " | ".join(HEAD) + " |", "|" + "---|" * len(HEAD)]
    lines += ["| " + " | ".join(row.cells()) + " |" for row in rows]
    return "\n".join(lines)
