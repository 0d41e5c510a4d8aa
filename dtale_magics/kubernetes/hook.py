"""The hub's side: a Service and a route for each server that KubeSpawner starts.

Imports nothing that the hub's image lacks: ``pip install --no-deps dtale_magics`` is enough there.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dtale_magics.errors import DtaleMagicsError, SettingError
from dtale_magics.kubernetes.manifests import RESERVED_PORTS, pod_sysctls, render
from dtale_magics.kubernetes.options import FIRST_PORT, LAST_PORT, Gateway, Options, RouteKind
from dtale_magics.kubernetes.server import Owner, Server, url_template
from dtale_magics.kubernetes.store import Outcome, State, Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

DEADLINE = 10.0
"""Seconds that a spawn waits for its objects at most."""


class Exposure:
    """What `expose` returns: the hook itself, its counterpart for the stop, and the settings.

    An instance is an ``after_pod_created_hook``. `configure` sets up all of it at once.

    Parameters
    ----------
    options
        How every server is reached.
    deadline
        Seconds that a spawn, and a stop, waits for the API at most.
    """

    def __init__(self, options: Options, deadline: float = DEADLINE) -> None:
        options.require_unique_per_user()
        self.options = options
        self.deadline = deadline
        self._pods: dict[tuple[str, str], str] = {}

    async def __call__(self, spawner: Any, pod: Any) -> tuple[Outcome, ...]:
        """Create Service and route for the pod that was just created.

        Never raises: KubeSpawner would stop the pod, and a user without D-Tale's public address
        is better off than one without a notebook. What went wrong stands in the hub's log.
        """
        try:
            server = _server(spawner, pod)
            return await self._each(spawner, server, "put")
        except Exception as error:  # noqa: BLE001
            spawner.log.warning(
                "D-Tale of %s is not exposed: %s",
                _whose(spawner),
                _reason(error),
            )
            return ()

    async def remove(self, spawner: Any) -> tuple[Outcome, ...]:
        """Remove what the hook created; a ``post_stop_hook``.

        Kubernetes does the same when it collects the pod's belongings. This is quicker, and works
        when the garbage collector is behind.
        """
        try:
            server = _server(spawner, None)
            return await self._each(spawner, server, "remove")
        except Exception as error:  # noqa: BLE001
            spawner.log.warning(
                "The route of %s is left to the garbage collector: %s",
                _whose(spawner),
                _reason(error),
            )
            return ()

    def url(self, spawner: Any) -> str:
        """Build the address of a server's D-Tale, for its ``DTALE_INGRESS_URL``."""
        return url_template(self.options, _server(spawner, None))

    @property
    def environment(self) -> dict[str, str | Callable[[Any], str]]:
        """Variables for ``c.KubeSpawner.environment``.

        The address is a function: KubeSpawner would take the braces of a text such as
        ``https://{user}.example.org`` for fields of its own, and fail the spawn.
        """
        return {"DTALE_INGRESS_PORT": str(self.options.ports[0]), "DTALE_INGRESS_URL": self._env}

    def _env(self, spawner: Any) -> str:
        try:
            return self.url(spawner)
        except DtaleMagicsError as error:
            spawner.log.warning("No DTALE_INGRESS_URL for %s: %s", _whose(spawner), error)
            return ""

    def configure(self, config: Any) -> None:
        """Put hook, removal, environment and reserved ports into ``c``.

        Hooks that are there already run first, as before.

        Parameters
        ----------
        config
            The ``c`` of ``jupyterhub_config.py``.
        """
        section = config.KubeSpawner
        for trait, ours in (("after_pod_created_hook", self), ("post_stop_hook", self.remove)):
            earlier = section.get(trait)
            section[trait] = _after(earlier, ours) if earlier else ours
        section.environment.update(self.environment)
        context = section.pod_security_context
        sysctls = list(context.get("sysctls") or ()) if isinstance(context, dict) else []
        if all(entry["name"] != RESERVED_PORTS for entry in sysctls):
            first, last = min(FIRST_PORT, *self.options.ports), max(LAST_PORT, *self.options.ports)
            ours_too = pod_sysctls(first, last)["securityContext"]["sysctls"]
            context.update({"sysctls": [*sysctls, *ours_too]})

    async def _each(self, spawner: Any, server: Server, verb: str) -> tuple[Outcome, ...]:
        assert server.namespace is not None
        store = Store(spawner.api, server.namespace, time.monotonic() + self.deadline)
        manifests = render(self.options, server)
        if server.owner is not None:
            self._pods[server.namespace, server.pod] = server.owner.uid
        if verb == "put":
            work = [store.put(manifest) for manifest in manifests]
        else:
            uid = self._pods.pop((server.namespace, server.pod), None)
            work = [store.remove(manifest, uid) for manifest in manifests]
        outcomes = tuple(await asyncio.gather(*work))
        self._log(spawner, server, outcomes)
        return outcomes

    def _log(self, spawner: Any, server: Server, outcomes: Iterable[Outcome]) -> None:
        for outcome in outcomes:
            if outcome.ok:
                spawner.log.info("%s", outcome)
            else:
                spawner.log.warning("D-Tale of %s: %s", _whose(spawner), outcome)
        if all(outcome.state in {State.CREATED, State.REPLACED} for outcome in outcomes):
            url = url_template(self.options, server)
            spawner.log.info("D-Tale of %s is exposed at %s", _whose(spawner), url)


def expose(  # noqa: PLR0913
    host: str,
    *,
    path: str = "/",
    ports: Iterable[int] = (FIRST_PORT,),
    route: str | RouteKind = RouteKind.INGRESS,
    ingress_class: str | None = None,
    tls: str | None = None,
    strip: bool = False,
    forward_auth: str | None = None,
    gateway: str | None = None,
    headless: bool = False,
    annotations: dict[str, str] | None = None,
    deadline: float = DEADLINE,
) -> Exposure:
    """Make the hook that exposes every server's D-Tale.

    In ``jupyterhub_config.py``, or in the chart's ``hub.extraConfig``::

        from dtale_magics.kubernetes import expose

        expose(host="{user}.dtale.example.org", ingress_class="traefik").configure(c)

    which is short for setting ``c.KubeSpawner.after_pod_created_hook`` to the result,
    ``post_stop_hook`` to its `Exposure.remove`, and the pods' environment and reserved ports.

    Parameters
    ----------
    host, path, ports, ingress_class, tls, strip, forward_auth, headless, annotations
        See `Options`. The host or the path must say which user is meant.
    route
        ``ingress``, ``ingressroute`` or ``httproute``.
    gateway
        ``namespace/name:listener`` of the Gateway, for an HTTPRoute.
    deadline
        Seconds that a spawn waits for the API at most; it goes on afterwards in any case.

    Raises
    ------
    SettingError
        When an option cannot be used, so that a wrong one shows when the hub starts.
    """
    options = Options(
        host=host,
        path=path,
        ports=tuple(ports),
        route=_route(route),
        ingress_class=ingress_class,
        tls=tls,
        strip=strip,
        forward_auth=forward_auth,
        gateway=None if gateway is None else Gateway.parse(gateway),
        headless=headless,
        annotations=dict(annotations or {}),
    )
    return Exposure(options, deadline)


def _route(text: str | RouteKind) -> RouteKind:
    try:
        return RouteKind(text)
    except ValueError:
        known = ", ".join(kind.value for kind in RouteKind)
        what = f"{text!r} is no kind of route."
        raise SettingError("route", text, what, f"Known kinds: {known}.") from None


def _server(spawner: Any, pod: Any) -> Server:
    """Describe the server that a spawner runs; `pod` is None before and after its life."""
    server = Server(spawner.user.name, spawner.name or "", spawner.namespace, spawner.pod_name)
    if pod is None:
        return server
    metadata = pod["metadata"]
    return replace(
        server,
        # All labels of the real pod: they tell apart what the user's and server's names do not,
        # such as two hubs' releases in one namespace.
        selector=dict(metadata["labels"]),
        owner=Owner(metadata["name"], metadata["uid"]),
    )


def _after(earlier: Callable[..., Any], ours: Callable[..., Any]) -> Callable[..., Any]:
    async def both(*arguments: Any) -> None:
        result = earlier(*arguments)
        if asyncio.iscoroutine(result) or isinstance(result, asyncio.Future):
            await result
        await ours(*arguments)

    return both


def _whose(spawner: Any) -> str:
    return f"{spawner.user.name}:{spawner.name}" if spawner.name else str(spawner.user.name)


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, DtaleMagicsError) else repr(error)
