from __future__ import annotations

from tests.support.cluster import api, render

__all__ = ["api", "render"]
