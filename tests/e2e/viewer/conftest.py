from __future__ import annotations

from tests.support.shown import show

__all__ = ["show"]
