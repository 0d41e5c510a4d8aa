"""A small Kubernetes API for tests: list, watch, create, read, replace, delete, in memory.

It behaves as the real one in what the tests depend on: 409 for what exists or has changed, one
resourceVersion that grows, EndpointSlices for Services whose selector finds a pod, and the
collection of what a deleted pod owned. `faults` lets a test answer in its place.
"""

from __future__ import annotations

import json
import re
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Object = dict[str, Any]

KINDS = {
    "services": "Service", "pods": "Pod", "secrets": "Secret", "nodes": "Node",
    "configmaps": "ConfigMap", "namespaces": "Namespace", "events": "Event",
    "ingresses": "Ingress", "ingressclasses": "IngressClass", "endpointslices": "EndpointSlice",
    "ingressroutes": "IngressRoute", "ingressroutetcps": "IngressRouteTCP",
    "ingressrouteudps": "IngressRouteUDP", "middlewares": "Middleware",
    "middlewaretcps": "MiddlewareTCP", "tlsoptions": "TLSOption", "tlsstores": "TLSStore",
    "traefikservices": "TraefikService", "serverstransports": "ServersTransport",
    "serverstransporttcps": "ServersTransportTCP", "gatewayclasses": "GatewayClass",
    "gateways": "Gateway", "httproutes": "HTTPRoute", "grpcroutes": "GRPCRoute",
    "tcproutes": "TCPRoute", "tlsroutes": "TLSRoute", "referencegrants": "ReferenceGrant",
    "backendtlspolicies": "BackendTLSPolicy", "roles": "Role", "rolebindings": "RoleBinding",
    "networkpolicies": "NetworkPolicy",
}  # fmt: skip
PLURALS = {kind: plural for plural, kind in KINDS.items()}

DISCOVERED = {
    "v1": ("services", "pods", "secrets"),
    "networking.k8s.io/v1": ("ingresses", "networkpolicies"),
    "rbac.authorization.k8s.io/v1": ("roles", "rolebindings"),
    "traefik.io/v1alpha1": ("ingressroutes", "middlewares"),
    "gateway.networking.k8s.io/v1": ("httproutes",),
}
"""What ``kubectl`` asks for before it sends anything."""
_NO_SCHEMAS = b"\x0a\x032.0"
"""An OpenAPI document of no types, as protobuf: ``kubectl`` asks for one and checks by it."""

VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete", "GET": "get"}

_PATH = re.compile(
    r"/(?:api|apis/(?P<group>[^/]+))/(?P<version>[^/]+)"
    r"(?:/namespaces/(?P<namespace>[^/]+)(?=/))?"
    r"/(?P<plural>[^/]+)(?:/(?P<name>[^/]+))?(?:/(?P<sub>[^/]+))?"
)


class ApiStub:
    """The objects, and the HTTP server in front of them."""

    def __init__(self) -> None:
        self.faults: Callable[[str, str], int | float | None] = lambda _method, _path: None
        """What goes wrong: a status to answer, or seconds after which the connection is closed."""
        self.collects = True
        """Whether deleting a pod deletes what it owns; the real collector may be late."""
        self.checks_rights = False
        """Whether the hub, known by its client's name, needs a Role for what it asks."""
        self.requests: list[tuple[str, str]] = []
        self.pod_ips: Iterator[str] = iter(())
        self._objects: dict[tuple[str, str, str], Object] = {}
        self._events: list[tuple[int, str, str, Object]] = []
        self._version = 1
        self._changed = threading.Condition(threading.RLock())
        self._closing = False
        stub = self

        class Handler(_Handler):
            api = stub

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        # A client that goes away is what some tests are about.
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> ApiStub:  # noqa: PYI034
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._server.shutdown()
        self._thread.join(10)
        self._server.server_close()

    def find(self, kind: str, name: str | None = None) -> list[Object]:
        with self._changed:
            found = [o for (p, _, _), o in self._objects.items() if p == PLURALS[kind]]
        return [o for o in found if name in (None, o["metadata"]["name"])]

    def put(self, *manifests: Object) -> None:
        """Create or replace, as an admin's ``kubectl apply`` would."""
        for manifest in manifests:
            body = json.loads(json.dumps(manifest))
            body["metadata"].setdefault("namespace", "jhub")
            with self._changed:
                known = self._objects.get(self._key(body))
                self._write(body, "MODIFIED" if known else "ADDED", known)

    def delete(self, manifest: Object) -> None:
        with self._changed:
            found = self._objects.pop(self._key(manifest))
            self._record("DELETED", found)
            uid = found["metadata"]["uid"]
            if found["kind"] == "Pod" and not self.collects:
                return
            for owned in list(self._objects.values()):
                owners = owned["metadata"].get("ownerReferences", ())
                if any(owner["uid"] == uid for owner in owners):
                    self.delete(owned)
            self._endpoints()

    def allows(self, verb: str, group: str, plural: str) -> bool:
        """Whether a Role lets the hub's account do that."""
        bound = {
            binding["roleRef"]["name"]
            for binding in self.find("RoleBinding")
            if any(subject["name"] == "hub" for subject in binding["subjects"])
        }
        return any(
            group in rule["apiGroups"] and plural in rule["resources"] and verb in rule["verbs"]
            for role in self.find("Role")
            if role["metadata"]["name"] in bound
            for rule in role["rules"]
        )

    def _key(self, body: Object) -> tuple[str, str, str]:
        metadata = body["metadata"]
        return PLURALS[body["kind"]], metadata.get("namespace", "jhub"), metadata["name"]

    def _write(self, body: Object, event: str, known: Object | None = None) -> Object:
        body["metadata"]["uid"] = known["metadata"]["uid"] if known else str(uuid.uuid4())
        if body["kind"] == "Pod" and known is None and "status" not in body:
            ready = {"name": "notebook", "ready": True, "state": {"running": {}}}
            ready |= {"image": "x", "imageID": "x", "restartCount": 0}
            ip = next(self.pod_ips)
            body["status"] = {"phase": "Running", "podIP": ip, "containerStatuses": [ready]}
        self._objects[self._key(body)] = body
        self._record(event, body)
        if body["kind"] == "Service":
            self._endpoints([body])
        elif body["kind"] == "Pod":
            labels = body["metadata"].get("labels", {}).items()
            concerned = (s for s in self.find("Service") if self._wants(s) <= labels)
            self._endpoints(list(concerned))
        return body

    def _record(self, event: str, body: Object) -> None:
        self._version += 1
        body["metadata"]["resourceVersion"] = str(self._version)
        snapshot = json.loads(json.dumps(body))
        self._events.append((self._version, event, PLURALS[body["kind"]], snapshot))
        self._changed.notify_all()

    @staticmethod
    def _wants(service: Object) -> Any:
        return (service["spec"].get("selector") or {}).items()

    def _endpoints(self, services: list[Object] | None = None) -> None:
        """Do what the endpoint slice controller does."""
        for service in self.find("Service") if services is None else services:
            metadata, spec = service["metadata"], service["spec"]
            wanted = self._wants(service)
            addresses = [
                pod["status"]["podIP"]
                for pod in self.find("Pod")
                if wanted <= pod["metadata"].get("labels", {}).items()
                and pod["metadata"]["namespace"] == metadata["namespace"]
            ]
            name = f"{metadata['name']}-slice"
            slice_: Object = {
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "addressType": "IPv4",
                "metadata": {
                    "name": name,
                    "namespace": metadata["namespace"],
                    "labels": {"kubernetes.io/service-name": metadata["name"]},
                    "ownerReferences": [{"uid": metadata["uid"]}],
                },
                "endpoints": [{"addresses": [a], "conditions": {"ready": True}} for a in addresses],
                "ports": [
                    {"name": p["name"], "port": p["targetPort"], "protocol": "TCP"}
                    for p in spec["ports"]
                ],
            }
            known = self._objects.get(self._key(slice_))
            same = known and all(known[part] == slice_[part] for part in ("endpoints", "ports"))
            if not same:
                self._write(slice_, "MODIFIED" if known else "ADDED", known)

    def select(self, plural: str, namespace: str | None, labels: str) -> list[Object]:
        terms = [term.partition("=") for term in labels.split(",") if "=" in term]
        pairs = {key: value for key, _, value in terms if not key.endswith("!")}
        others = {key[:-1]: value for key, _, value in terms if key.endswith("!")}
        return [
            o
            for (p, ns, _), o in self._objects.items()
            if p == plural
            and namespace in (None, ns)
            and pairs.items() <= o["metadata"].get("labels", {}).items()
            and not others.items() & o["metadata"].get("labels", {}).items()
        ]


class _Handler(BaseHTTPRequestHandler):
    api: ApiStub
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self) -> None:
        split = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else {}
        api = self.api
        api.requests.append((self.command, split.path))
        fault = api.faults(self.command, split.path)
        if isinstance(fault, float):
            with api._changed:
                api._changed.wait_for(lambda: api._closing, fault)
            self.close_connection = True
            return
        if fault is not None:
            self._status(fault)
            return
        if split.path == "/version":
            self._send(200, {"major": "1", "minor": "34", "gitVersion": "v1.34.0"})
            return
        if split.path == "/openapi/v2":
            self._send_bytes(200, _NO_SCHEMAS, "application/octet-stream")
            return
        if (known := _discovery(split.path)) is not None:
            self._send(200, known)
            return
        match = _PATH.fullmatch(split.path)
        if match is None or match["plural"] not in KINDS:
            self._status(404)
            return
        verb = VERBS[self.command] if match["name"] or self.command != "GET" else "list"
        if (
            api.checks_rights
            and self.headers.get("User-Agent", "").startswith("OpenAPI-Generator")
            and not api.allows(verb, match["group"] or "", match["plural"])
        ):
            self._status(403)
            return
        query = {key: values[-1] for key, values in parse_qs(split.query).items()}
        place = match["plural"], match["namespace"], match["name"]
        if self.command == "GET" and query.get("watch") in ("true", "1", "True"):
            self._watch(match, query)
            return
        with api._changed:
            self._handle(match, place, query, body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815

    def _handle(  # noqa: C901, PLR0912
        self,
        match: re.Match[str],
        place: tuple[str, str | None, str | None],
        query: dict[str, str],
        body: Object,
    ) -> None:
        api, (plural, namespace, name) = self.api, place
        known = api._objects.get((plural, namespace or "jhub", name or ""))
        if self.command == "POST":
            body["metadata"].setdefault("namespace", namespace)
            if api._key(body) in api._objects:
                self._status(409)
            else:
                self._send(201, api._write(body, "ADDED"))
        elif name is None:
            found = api.select(plural, namespace, query.get("labelSelector", ""))
            self._send(200, self._list(match, found))
        elif known is None:
            self._status(404)
        elif match["sub"] == "status" or self.command == "GET":
            self._send(200, known)
        elif self.command == "PUT":
            version = body["metadata"].get("resourceVersion")
            kept = known["spec"].get("clusterIP"), body.get("spec", {}).get("clusterIP")
            if version is None or kept[0] != kept[1]:
                self._status(422)
            elif version != known["metadata"]["resourceVersion"]:
                self._status(409)
            else:
                body["metadata"]["namespace"] = namespace
                self._send(200, api._write(body, "MODIFIED", known))
        elif self.command == "DELETE":
            wanted = (body.get("preconditions") or {}).get("uid")
            if wanted not in (None, known["metadata"]["uid"]):
                self._status(409)
            else:
                api.delete(known)
                self._send(200, {"kind": "Status", "apiVersion": "v1", "status": "Success"})
        else:
            self._status(405)

    def _list(self, match: re.Match[str], items: list[Object]) -> Object:
        group = f"{match['group']}/" if match["group"] else ""
        return {
            "apiVersion": f"{group}{match['version']}",
            "kind": f"{KINDS[match['plural']]}List",
            "metadata": {"resourceVersion": str(self.api._version)},
            "items": items,
        }

    def _watch(self, match: re.Match[str], query: dict[str, str]) -> None:
        api, plural = self.api, match["plural"]
        group = f"{match['group']}/" if match["group"] else ""
        shape = {"apiVersion": f"{group}{match['version']}", "kind": KINDS[plural]}
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        with api._changed:
            seen = len(api._events)
            pending = []
            if query.get("sendInitialEvents") == "true":
                first = api.select(plural, match["namespace"], query.get("labelSelector", ""))
                pending = [{"type": "ADDED", "object": item} for item in first]
                end = {"k8s.io/initial-events-end": "true"}
                metadata = {"resourceVersion": str(api._version), "annotations": end}
                pending.append({"type": "BOOKMARK", "object": {**shape, "metadata": metadata}})
            else:
                since = int(query.get("resourceVersion") or 0)
                seen = next((i for i, e in enumerate(api._events) if e[0] > since), seen)
        try:
            while not api._closing:
                for event in pending:
                    self.wfile.write(json.dumps(event).encode() + b"\n")
                self.wfile.flush()
                with api._changed:
                    api._changed.wait_for(lambda: api._closing or len(api._events) > seen)  # noqa: B023
                    fresh, seen = api._events[seen:], len(api._events)
                pending = [
                    {"type": event, "object": body}
                    for _, event, of, body in fresh
                    if of == plural
                    and match["namespace"] in (None, body["metadata"].get("namespace"))
                ]
        except OSError:
            pass  # the watcher has gone

    def _status(self, code: int) -> None:
        reason = {403: "Forbidden", 404: "NotFound", 409: "Conflict", 422: "Invalid"}
        status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code}
        self._send(code, {**status, "metadata": {}, "reason": reason.get(code, "Error")})

    def _send(self, code: int, body: Object) -> None:
        self._send_bytes(code, json.dumps(body).encode(), "application/json")

    def _send_bytes(self, code: int, data: bytes, kind: str) -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def _discovery(path: str) -> Object | None:
    """Say what there is, as ``kubectl`` asks; None for another question."""
    if path == "/api":
        return {"kind": "APIVersions", "versions": ["v1"]}
    if path == "/apis":
        groups = []
        for api in DISCOVERED:
            group, slash, version = api.rpartition("/")
            if slash:
                one = {"groupVersion": api, "version": version}
                groups.append({"name": group, "versions": [one], "preferredVersion": one})
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}
    api = path.removeprefix("/apis/").removeprefix("/api/")
    if api not in DISCOVERED:
        return None
    resources = [
        {"name": plural, "kind": KINDS[plural], "namespaced": True, "singularName": "",
         "verbs": [*VERBS.values(), "list", "watch"]}
        for plural in DISCOVERED[api]
    ]  # fmt: skip
    return {"kind": "APIResourceList", "groupVersion": api, "resources": resources}
