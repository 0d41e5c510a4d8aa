"""NetworkPolicies: who may connect to D-Tale, and where the ingress controller comes from."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dtale_magics.errors import SettingError
from dtale_magics.kubernetes.manifests import PART_OF, Manifest

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Controller:
    """Where the ingress controller's connections come from.

    Attributes
    ----------
    namespace
        Namespace of its pods.
    cidrs
        Networks, if it is not a pod: a controller on the nodes' own network, a load balancer.
    """

    namespace: str | None = None
    cidrs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for cidr in self.cidrs:
            try:
                ipaddress.ip_network(cidr)
            except ValueError as error:
                what = f"{cidr!r} is no network: {error}."
                hint = "Type for example: --controller-cidr 10.0.0.0/16"
                raise SettingError("controller_cidr", cidr, what, hint) from None

    @property
    def peers(self) -> list[Manifest]:
        """What a policy lists under ``from``."""
        found: list[Manifest] = [{"ipBlock": {"cidr": cidr}} for cidr in self.cidrs]
        if self.namespace is not None:
            namespace = {"kubernetes.io/metadata.name": self.namespace}
            found.insert(0, {"namespaceSelector": {"matchLabels": namespace}})
        return found


def rule(peers: list[Manifest], ports: Sequence[int]) -> Manifest:
    """Build the rule that lets `peers` reach `ports`."""
    return {"from": peers, "ports": [{"port": port, "protocol": "TCP"} for port in ports]}


def network_policy(
    controller: Controller, ports: Sequence[int], namespace: str | None = None
) -> Manifest:
    """Build the policy that admits the ingress controller to D-Tale in every user's pod."""
    metadata: Manifest = {"name": "dtale-from-ingress-controller"}
    if namespace is not None:
        metadata["namespace"] = namespace
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {**metadata, "labels": dict(PART_OF)},
        "spec": {
            "podSelector": {"matchLabels": {"component": "singleuser-server"}},
            "policyTypes": ["Ingress"],
            "ingress": [rule(controller.peers, ports)],
        },
    }
