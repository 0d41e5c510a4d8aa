"""The hub's side: a Service and a route for each server that KubeSpawner starts.

It imports nothing that the hub's image lacks; `bundle` puts what it needs into the chart's values.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dtale_magics.errors import DtaleMagicsError, SettingError
from dtale_magics.kubernetes import sign_in
from dtale_magics.kubernetes.manifests import RESERVED_PORTS, pod_sysctls, render
from dtale_magics.kubernetes.options import FIRST_PORT, LAST_PORT, Options
from dtale_magics.kubernetes.server import Owner, Server, url_template
from dtale_magics.kubernetes.store import Outcome, State, Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

DEADLINE = 10.0
"""Maximum number of seconds that a spawn waits for its objects."""


class Exposure:
    """What `expose` returns: the hook itself, its counterpart for the stop, and the settings.

    An instance is an ``after_pod_created_hook``. `configure` sets up all of it at once.

    Parameters
    ----------
    options
        How every server is reached.
    deadline
        Maximum number of seconds that a spawn or a stop waits for the API.
    reserve_ports
        See `expose`.
    """

    def __init__(
        self, options: Options, deadline: float = DEADLINE, *, reserve_ports: bool = True
    ) -> None:
        options.require_unique_per_user()
        self.options = options
        self.deadline = deadline
        self.reserve_ports = reserve_ports
        self._pods: dict[tuple[str, str], str] = {}
        self._configured = False

    def __deepcopy__(self, _: Any) -> Exposure:
        # Traitlets copies the values in ``c`` for each spawner, but the hook and the removal must
        # share what they know about pods.
        return self

    async def __call__(self, spawner: Any, pod: Any) -> tuple[Outcome, ...]:
        """Create Service and route for the pod that was just created.

        Never raises: KubeSpawner would stop the pod, and a user without D-Tale's public address
        is better off than one without a notebook. The hub's log says what went wrong.
        """
        try:
            server = self._server(spawner, pod)
            return await self._each(spawner, server, "put")
        except Exception as error:  # noqa: BLE001
            spawner.log.warning(
                "D-Tale of %s is not exposed: %s",
                _whose(spawner),
                _reason(error),
            )
            return ()

    async def remove(self, spawner: Any) -> tuple[Outcome, ...]:
        """Remove what the hook created; this is a ``post_stop_hook``.

        Kubernetes does the same when it collects the pod's belongings. This is quicker, and works
        even when the garbage collector lags behind.
        """
        try:
            server = self._server(spawner, None)
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
        return url_template(self.options, self._server(spawner, None))

    @property
    def environment(self) -> dict[str, str | Callable[[Any], str]]:
        """Variables for ``c.KubeSpawner.environment``.

        The address is a function: KubeSpawner would take the braces of a text such as
        ``https://{user}.example.org`` for fields of its own, and fail the spawn.
        """
        return {
            "DTALE_INGRESS_PORT": str(self.options.ports[0]),
            "DTALE_INGRESS_PORTS": ",".join(map(str, self.options.ports)),
            "DTALE_INGRESS_URL": self._env,
        }

    def _env(self, spawner: Any) -> str:
        if self._configured and not self._is_hook_of(spawner):
            spawner.log.warning(
                "D-Tale of %s gets no route: another after_pod_created_hook was set after "
                "expose(…).configure(c). Let that come last; the chart runs extraConfig in the "
                "order of its keys.",
                _whose(spawner),
            )
        try:
            return self.url(spawner)
        except DtaleMagicsError as error:
            spawner.log.warning("No DTALE_INGRESS_URL for %s: %s", _whose(spawner), error)
            return ""

    def _is_hook_of(self, spawner: Any) -> bool:
        hook = spawner.after_pod_created_hook
        return hook is self or getattr(hook, "ours", None) is self

    def _server(self, spawner: Any, pod: Any) -> Server:
        # In a namespace of their own, pods of two users may have one name.
        if getattr(spawner, "enable_user_namespaces", False):
            told = self.options.fields & {"user", "namespace"}
            if not told:
                what = f"Pods of several namespaces could have the address {self.options.host}."
                hint = "Put {user} or {namespace} into it."
                raise SettingError("host", self.options.host, what, hint)
        return _server(spawner, pod)

    def configure(self, config: Any) -> None:
        """Put hook, removal, environment, reserved ports and sign-in into ``c``.

        Hooks that are already there still run, before ours.

        Parameters
        ----------
        config
            The ``c`` of ``jupyterhub_config.py``.
        """
        self._configured = True
        if self.options.sign_in is not None:
            if self.options.forward_auth is None:
                address = sign_in.address(config)
                self.options = replace(self.options, forward_auth=address)
            sign_in.configure(self.options, config)
        section = config.KubeSpawner
        for trait, ours in (("after_pod_created_hook", self), ("post_stop_hook", self.remove)):
            earlier = section.get(trait)
            section[trait] = _after(earlier, ours) if earlier else ours
        section.environment.update(self.environment)
        if not self.reserve_ports:
            return
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


def expose(
    host: str, *, deadline: float = DEADLINE, reserve_ports: bool = True, **options: Any
) -> Exposure:
    """Make the hook that exposes every server's D-Tale.

    In ``jupyterhub_config.py``, or in the chart's ``hub.extraConfig``::

        from dtale_magics.kubernetes import expose

        expose(host="{user}.dtale.example.org", ingress_class="traefik").configure(c)

    which is short for setting ``c.KubeSpawner.after_pod_created_hook`` to the result,
    ``post_stop_hook`` to its `Exposure.remove`, and the pods' environment and reserved ports.

    Parameters
    ----------
    host
        Where a server's D-Tale is seen. The host or the path must say which user is meant.
    deadline
        Maximum number of seconds that a spawn waits for the API; then it goes on in any case.
    reserve_ports
        Whether pods get the sysctl that keeps outgoing connections off D-Tale's ports. Use False
        where the cluster forbids it: pods on the host's network, policies that restrict sysctls.
    options
        See `Options`: ``path ports route ingress_class tls strip forward_auth gateway headless
        annotations shared_host scheme public_port entry_points notebook_port sign_in``. A route is
        ``ingress``, ``ingressroute`` or ``httproute``, a gateway ``namespace/name:listener``.

    Raises
    ------
    SettingError
        When an option cannot be used, so that a wrong one shows when the hub starts.
    """
    return Exposure(Options.of(host=host, **options), deadline, reserve_ports=reserve_ports)


def _server(spawner: Any, pod: Any) -> Server:
    """Describe the server that a spawner runs; `pod` is None before and after its life."""
    server = Server(spawner.user.name, spawner.name or "", spawner.namespace, spawner.pod_name)
    if pod is None:
        return server
    metadata = pod["metadata"]
    return replace(
        server,
        # All labels of the real pod: they can tell apart pods that have the same user and server
        # names, such as those of two hubs in one namespace.
        selector=dict(metadata["labels"]),
        owner=Owner(metadata["name"], metadata["uid"]),
    )


def _after(earlier: Callable[..., Any], ours: Callable[..., Any]) -> Callable[..., Any]:
    async def both(*arguments: Any) -> None:
        result = earlier(*arguments)
        if asyncio.iscoroutine(result) or isinstance(result, asyncio.Future):
            await result
        await ours(*arguments)

    both.ours = ours  # type: ignore[attr-defined]
    return both


def _whose(spawner: Any) -> str:
    return f"{spawner.user.name}:{spawner.name}" if spawner.name else str(spawner.user.name)


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, DtaleMagicsError) else repr(error)
