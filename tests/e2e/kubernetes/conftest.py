from __future__ import annotations

from tests.support.cluster import api, dtale_pod, render, traefik

__all__ = ["api", "dtale_pod", "render", "traefik"]
