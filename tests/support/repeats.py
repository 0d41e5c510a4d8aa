"""How often by day, and how often by night: ``make nightly`` sets ``NIGHTLY``."""

from __future__ import annotations

import os
from typing import TypeVar

T = TypeVar("T")


def repeats(by_day: T, by_night: T) -> T:
    """Choose how often something is tried, or with what.

    By day it is enough to find a fault that somebody has just made; by night, rare ones as well.
    """
    return by_night if os.environ.get("NIGHTLY") else by_day
