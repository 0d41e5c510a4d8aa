"""Numbers, times and names in words, the same in every sentence."""

from __future__ import annotations

import re
import time

_PLAIN = re.compile(r"[\w.-]+")


def as_word(name: str) -> str:
    """Write a name so that it can be typed as one word that is taken literally."""
    return name if _PLAIN.fullmatch(name) else repr(name)


def count(number: int, noun: str) -> str:
    """Say how many: ``1 row``, ``2,000 rows``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def size_text(number: int) -> str:
    """Say how much memory: ``12 kB``, ``3.4 MB``."""
    size, unit = number / 1000, "kB"
    for unit in ("kB", "MB", "GB"):  # noqa: B007 (the last one is used)
        if size < 999.5:  # noqa: PLR2004 (rounded, it would have four digits)
            break
        size /= 1000
    return f"{size:.1f} {unit}" if size < 9.95 else f"{size:,.0f} {unit}"  # noqa: PLR2004


def shape_text(rows: int, columns: int) -> str:
    """Say how large a frame is."""
    return f"{count(rows, 'row')} × {count(columns, 'column')}"


def frame_text(name: str, rows: int, columns: int) -> str:
    """Say what a frame is: its name and its shape."""
    return f"{name}: {shape_text(rows, columns)}"


def clock(seconds: float) -> str:
    """Format the time of day of `seconds` since the epoch, with the date if it is not today's."""
    moment = time.localtime(seconds)
    today = moment[:3] == time.localtime()[:3]
    return time.strftime("%H:%M" if today else "%Y-%m-%d %H:%M", moment)
