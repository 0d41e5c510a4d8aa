"""The objects besides the route: Service, Role, and the pod's sysctl."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dtale_magics.kubernetes.options import FIRST_PORT, LAST_PORT

if TYPE_CHECKING:
    from dtale_magics.kubernetes.options import Options
    from dtale_magics.kubernetes.routes import Route
    from dtale_magics.kubernetes.server import Server

Manifest = dict[str, Any]

MANAGED_BY = "app.kubernetes.io/managed-by"
MANAGER = "dtale-magics"
USER = "dtale-magics/user"
SERVER = "dtale-magics/server"

PART_OF = {"app.kubernetes.io/name": "dtale", MANAGED_BY: MANAGER}

RESERVED_PORTS = "net.ipv4.ip_local_reserved_ports"
"""Keeps outgoing connections off D-Tale's ports; a safe sysctl since Kubernetes 1.27."""


def stamped(manifest: Manifest, server: Server) -> Manifest:
    """Add what says whose an object is: labels, annotations, namespace, owner."""
    metadata: Manifest = {"name": manifest["metadata"]["name"]}
    if server.namespace is not None:
        metadata["namespace"] = server.namespace
    metadata["labels"] = dict(PART_OF)
    # Annotations, because a label cannot hold every user name.
    metadata["annotations"] = {
        **manifest["metadata"].get("annotations", {}),
        USER: server.user,
        SERVER: server.server,
    }
    if server.owner is not None:
        metadata["ownerReferences"] = [
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "name": server.owner.name,
                "uid": server.owner.uid,
                # Neither may hold up the other's deletion, nor need rights on pods/finalizers.
                "blockOwnerDeletion": False,
                "controller": False,
            }
        ]
    return {**manifest, "metadata": metadata}


def service(options: Options, server: Server) -> Manifest:
    """Build the Service in front of the server's pod: D-Tale's ports, and the notebook as port 80.

    Port names are at most 15 characters long: a Service does not need that, but objects that refer
    to them do.
    """
    ports = [
        {
            "name": "dtale" if index == 0 else f"dtale-{port}",
            "port": port,
            "targetPort": port,
            "protocol": "TCP",
            "appProtocol": "http",  # a mesh would otherwise take it for any TCP
        }
        for index, port in enumerate(options.ports)
    ]
    if options.notebook_port is not None:
        notebook = {"name": "notebook", "port": 80, "targetPort": options.notebook_port}
        ports.insert(0, {**notebook, "protocol": "TCP", "appProtocol": "http"})
    spec: Manifest = {"type": "ClusterIP"}
    if options.headless:
        spec["clusterIP"] = "None"
    spec |= {"selector": dict(server.selector), "ports": ports}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": server.name},
        "spec": spec,
    }


def render(options: Options, server: Server) -> list[Manifest]:
    """Build the Service and the route of one server, in the order to create them in."""
    objects = [service(options, server), *options.route.build(options, server)]
    return [stamped(manifest, server) for manifest in objects]


def hub_role(route: Route, namespace: str, service_account: str = "hub") -> list[Manifest]:
    """Build what the hub may do beyond the chart's own Role, and the binding of it.

    The chart lets the hub create and delete Services, not update them, and knows nothing of
    routes.
    """
    verbs = ["get", "create", "update", "delete"]
    metadata: Manifest = {"name": "hub-dtale", "namespace": namespace, "labels": dict(PART_OF)}
    api = "rbac.authorization.k8s.io"
    return [
        {
            "apiVersion": f"{api}/v1",
            "kind": "Role",
            "metadata": metadata,
            "rules": [
                {"apiGroups": [""], "resources": ["services"], "verbs": list(verbs)},
                *(
                    {"apiGroups": [group], "resources": list(plurals), "verbs": list(verbs)}
                    for group, plurals in route.resources.items()
                ),
            ],
        },
        {
            "apiVersion": f"{api}/v1",
            "kind": "RoleBinding",
            "metadata": {**metadata, "labels": dict(PART_OF)},
            # The API refuses an account without a namespace.
            "subjects": [
                {"kind": "ServiceAccount", "name": service_account, "namespace": namespace}
            ],
            "roleRef": {"apiGroup": api, "kind": "Role", "name": "hub-dtale"},
        },
    ]


def pod_sysctls(first: int = FIRST_PORT, last: int = LAST_PORT) -> Manifest:
    """Build the part of a pod's spec that reserves D-Tale's ports.

    The ports lie inside Linux's default range for outgoing connections (32768-60999), so such a
    connection can own port 40000 at any moment, and only this prevents it.
    """
    value = str(first) if first == last else f"{first}-{last}"
    return {"securityContext": {"sysctls": [{"name": RESERVED_PORTS, "value": value}]}}
