"""Objects in the cluster's API: created, removed, and never touched if they are not ours.

Only this module talks to the API. The client is the hub's own (``kubernetes_asyncio``), imported
when it is first needed, because a machine that only renders manifests does not have it.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from dtale_magics.kubernetes.manifests import MANAGED_BY, MANAGER, SERVER, USER

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

Manifest = dict[str, Any]

FORBIDDEN, NOT_FOUND, CONFLICT, INVALID = 403, 404, 409, 422
TOO_MANY, SERVER_ERROR = 429, 500

FIRST_PAUSE = 0.1
REQUEST_TIMEOUT = 3.0
"""Seconds for one request, as KubeSpawner's own ``k8s_api_request_timeout``."""


class State(Enum):
    """What became of one object."""

    CREATED = "created"
    REPLACED = "replaced"
    REMOVED = "removed"
    ABSENT = "was not there"
    KEPT = "belongs to a newer pod"
    FOREIGN = "belongs to somebody else"
    FAILED = "failed"


@dataclass(frozen=True)
class Outcome:
    """What became of one object, and why, if it is not as wanted."""

    kind: str
    name: str
    state: State
    why: str = ""

    @property
    def ok(self) -> bool:
        """Whether the object is as it was wanted."""
        return self.state not in {State.FOREIGN, State.FAILED}

    def __str__(self) -> str:
        return f"{self.kind} {self.name} {self.state.value}" + (f": {self.why}" if self.why else "")


class Store:
    """The objects of one namespace.

    Parameters
    ----------
    core
        The hub's ``CoreV1Api``; its connections, credentials and limits are used for everything.
    namespace
        Where the objects are.
    deadline
        When to give up, on the clock of `time.monotonic`.
    """

    def __init__(self, core: Any, namespace: str, deadline: float) -> None:
        from kubernetes_asyncio.client import CustomObjectsApi

        self._core = core
        # Despite its name it reaches every API group, so one code serves all kinds of routes.
        self._grouped = CustomObjectsApi(core.api_client)
        self._namespace = namespace
        self._deadline = deadline

    async def put(self, manifest: Manifest) -> Outcome:
        """Create the object; replace one that this package made for the same server before."""
        return await self._until_deadline(manifest, lambda: self._put_once(manifest))

    async def remove(self, manifest: Manifest, pod_uid: str | None = None) -> Outcome:
        """Delete the object that `put` made from this manifest.

        Parameters
        ----------
        manifest
            Says kind and name.
        pod_uid
            The pod that has gone. An object of a newer pod stays; None means any pod.
        """
        return await self._until_deadline(manifest, lambda: self._remove_once(manifest, pod_uid))

    async def _put_once(self, manifest: Manifest) -> State | None:
        """Try once; None when somebody changed the object in between."""
        if await self._call("create", manifest, manifest) is not None:
            return State.CREATED
        found = await self._call("get", manifest)
        if found is None:
            return None
        if not _is_ours(found, manifest):
            return State.FOREIGN
        version = {"resourceVersion": found["metadata"]["resourceVersion"]}
        body = {**manifest, "metadata": {**manifest["metadata"], **version}}
        if await self._call("replace", manifest, body) is not None:
            return State.REPLACED
        if "clusterIP" in manifest["spec"] or "clusterIP" in found["spec"]:
            # A Service that changes to or from headless cannot be replaced, only recreated.
            await self._delete(found)
        return None

    async def _remove_once(self, manifest: Manifest, pod_uid: str | None) -> State | None:
        found = await self._call("get", manifest)
        if found is None:
            return State.ABSENT
        owners = {owner["uid"] for owner in found["metadata"].get("ownerReferences", ())}
        if not _is_ours(found, manifest):
            return State.FOREIGN
        if pod_uid is not None and pod_uid not in owners:
            return State.KEPT
        return State.REMOVED if await self._delete(found) else None

    async def _delete(self, found: Manifest) -> bool:
        # The uid makes sure that we delete the object that we looked at.
        body = {"preconditions": {"uid": found["metadata"]["uid"]}}
        return await self._call("delete", found, body) is not None

    async def _call(self, verb: str, manifest: Manifest, body: Manifest | None = None) -> Any:
        """Send one request; None if the object's state forbade it (absent, present, changed)."""
        from kubernetes_asyncio.client import ApiException

        arguments: dict[str, Any] = {"namespace": self._namespace}
        if verb != "create":
            arguments["name"] = manifest["metadata"]["name"]
        if body is not None:
            arguments["body"] = body
        if manifest["kind"] == "Service":
            called = {"get": "read"}.get(verb, verb)
            request = getattr(self._core, f"{called}_namespaced_service")
        else:
            group, version = manifest["apiVersion"].split("/")
            arguments |= {"group": group, "version": version}
            arguments["plural"] = _plural(manifest)
            request = getattr(self._grouped, f"{verb}_namespaced_custom_object")
        left = max(0.01, min(REQUEST_TIMEOUT, self._deadline - time.monotonic()))
        try:
            answer = await asyncio.wait_for(request(**arguments), left)
        except ApiException as error:
            expected = {
                "create": {CONFLICT},
                "get": {NOT_FOUND},
                "replace": {NOT_FOUND, CONFLICT, INVALID},
                "delete": {NOT_FOUND, CONFLICT},
            }
            if error.status in expected[verb]:
                return None
            raise
        # A Service comes back as the client's own model, everything else as it was sent.
        return self._core.api_client.sanitize_for_serialization(answer)

    async def _until_deadline(
        self, manifest: Manifest, once: Callable[[], Awaitable[State | None]]
    ) -> Outcome:
        """Retry what may work the next time, and turn everything else into an outcome."""
        from aiohttp import ClientError
        from kubernetes_asyncio.client import ApiException

        kind, name = manifest["kind"], manifest["metadata"]["name"]
        pause, why, answered = FIRST_PAUSE, "the object kept changing", False
        while True:
            try:
                state = await once()
            except ApiException as error:
                why, answered = _explain(error.status, error.reason, manifest), True
                if error.status != TOO_MANY and error.status < SERVER_ERROR:
                    return Outcome(kind, name, State.FAILED, why)
            except (asyncio.TimeoutError, ClientError, OSError) as error:
                if not answered:  # keep the API's own answer: it says more than the final timeout
                    why = f"the API did not answer ({type(error).__name__})"
            else:
                if state is not None:
                    return Outcome(kind, name, state)
            if time.monotonic() + pause >= self._deadline:
                return Outcome(kind, name, State.FAILED, f"gave up at the deadline, {why}")
            await asyncio.sleep(pause)
            pause *= 2


def _is_ours(found: Manifest, manifest: Manifest) -> bool:
    labels = found["metadata"].get("labels") or {}
    marks = found["metadata"].get("annotations") or {}
    wanted = manifest["metadata"]["annotations"]
    same_server = all(marks.get(key) == wanted[key] for key in (USER, SERVER))
    return labels.get(MANAGED_BY) == MANAGER and same_server


def _plural(manifest: Manifest) -> str:
    """Return the API's name of a kind: its plural in lower case."""
    kind = str(manifest["kind"]).lower()
    return f"{kind}es" if kind.endswith("s") else f"{kind}s"


def _explain(status: int, reason: str | None, manifest: Manifest) -> str:
    plural = _plural(manifest)
    group = manifest["apiVersion"].rpartition("/")[0]
    full = f"{plural}.{group}" if group else plural
    if status == FORBIDDEN:
        return (
            f"the API refuses it (403 {reason}). If the hub may not handle {full}: "
            "python -m dtale_magics manifests --rbac … | kubectl apply -f -"
        )
    if status == NOT_FOUND:
        return f"the API does not know {full} or the namespace (404 {reason})"
    return f"the API answered {status} {reason}"
