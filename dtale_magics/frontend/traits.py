"""The settings ``c.DtaleMagics.*``, as traits that Jupyter's configuration knows."""

from __future__ import annotations

from typing import Any

from IPython.core.magic import Magics
from traitlets import Bool, Enum, Int, List, Unicode


class Configured(Magics):
    """Magics with settings; `dtale_magics.settings` decides which of them hold."""

    min_port = Int(
        None,
        min=1,
        max=65535,
        allow_none=True,
        help="First port to look at, by default 40000 (DTALE_MIN_PORT).",
    ).tag(config=True)
    max_port = Int(
        None,
        min=1,
        max=65535,
        allow_none=True,
        help="Last port to look at, by default 49000 (DTALE_MAX_PORT).",
    ).tag(config=True)
    ingress_port = Int(
        None,
        min=1,
        max=65535,
        allow_none=True,
        help="The one port that the outside can reach, by default the first of the configured "
        "range (DTALE_INGRESS_PORT).",
    ).tag(config=True)
    ingress_url = Unicode(
        None,
        allow_none=True,
        help="Where the outside sees that port, with {user} {server} {pod} {namespace} filled in; "
        'with {port} in it, every port is seen; "" for nowhere (DTALE_INGRESS_URL).',
    ).tag(config=True)
    proxy_url = Unicode(
        None,
        allow_none=True,
        help="Where a hosted notebook proxies a port, such as /studio/proxy/{port}; by "
        "default as jupyter-server-proxy does (DTALE_PROXY_URL).",
    ).tag(config=True)
    open_access = Bool(
        None,
        allow_none=True,
        help="Whether D-Tale answers without the link, to whoever reaches the port: only for "
        "networks whose ingress itself asks for a sign-in (DTALE_OPEN_ACCESS).",
    ).tag(config=True)
    allowed_hosts = List(
        Unicode(),
        None,
        allow_none=True,
        help="Host names that requests from outside may use, besides that of ingress_url; *. in "
        "front of one stands for every name below it (DTALE_ALLOWED_HOSTS).",
    ).tag(config=True)
    trusted_proxies = List(
        Unicode(),
        None,
        allow_none=True,
        help="Addresses and networks of proxies whose X-Forwarded-* headers are believed, by "
        "default loopback and private ones (DTALE_TRUSTED_PROXIES).",
    ).tag(config=True)
    kept_expressions = Int(
        5,
        min=1,
        help="How many expressions that no variable holds are kept in D-Tale; what the running "
        "cell shows does not count.",
    ).tag(config=True)
    large_cells = Int(
        5_000_000,
        min=0,
        help="From this many cells on, %dtale says that --sample shows a part of a frame.",
    ).tag(config=True)
    rows = Int(
        100_000,
        min=1,
        help="How many rows to show of what is not in memory: lazy frames, queries, cursors.",
    ).tag(config=True)

    height = Int(
        475,
        min=150,
        max=5000,
        help="How tall a grid may become, in pixels; one with few rows is lower.",
    ).tag(config=True)
    preview = Int(
        5,
        min=0,
        max=1000,
        help="How many rows stay in saved and exported notebooks; 0 for none.",
    ).tag(config=True)
    theme = Enum(
        ["page", "light", "dark"],
        "page",
        help="Theme of the grids: that of the notebook's page, or always the same one. "
        "%dtale df --theme dark sets that of one grid.",
    ).tag(config=True)

    def values(self) -> dict[str, Any]:
        """Return the values by name; None for those that are not set."""
        return {name: getattr(self, name) for name in self.trait_names(config=True)}
