"""NetworkPolicies enforced by the kernel's own packet filter, on a toy node in a namespace.

Pods are addresses of the node's loopback interface, so that nothing leaves the namespace. What a
policy says is translated as kubernetes.io/docs/concepts/services-networking/network-policies has
it: a pod that a policy selects gets what one of its policies admits, and nothing else. A refused
connection is reset, where a cluster would let it hang, so that tests need not wait.
"""

from __future__ import annotations

import ipaddress
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.support import debian
from tests.support.pods import Pod

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

SECONDS = 20.0


@dataclass(frozen=True)
class ToyPod:
    """A pod of the toy node."""

    address: str
    namespace: str
    labels: Mapping[str, str] = field(default_factory=dict)


class ToyNode(Pod):
    """A node with some pods; close it after the test."""

    def __init__(self, directory: Path, nft: str, pods: Iterable[ToyPod]) -> None:
        super().__init__(directory)
        self._nft = nft
        self._pods = list(pods)
        self._listening: list[socket.socket] = []
        for pod in self._pods:
            self._ip("address", "add", f"{pod.address}/32", "dev", "lo")

    def close(self) -> None:
        for sock in self._listening:
            sock.close()
        super().close()

    def listen(self, pod: ToyPod, *ports: int) -> None:
        """Have somebody listen in a pod."""

        def listen() -> None:
            self._enter()
            self._listening += [socket.create_server((pod.address, port)) for port in ports]

        with ThreadPoolExecutor(1) as thread:
            thread.submit(listen).result()

    def reaches(self, source: ToyPod, target: ToyPod, port: int) -> bool:
        """Whether a connection from one pod to another one is admitted."""

        def connect() -> bool:
            self._enter()
            try:
                there, here = (target.address, port), (source.address, 0)
                socket.create_connection(there, SECONDS, here).close()
            except ConnectionRefusedError:
                return False
            return True

        with ThreadPoolExecutor(1) as thread:
            return thread.submit(connect).result()

    def enforce(self, policies: Iterable[Mapping[str, Any]]) -> None:
        """Let these policies hold, and no others."""
        rules = ["ct state established,related accept"]
        policies = list(policies)
        for pod in self._pods:
            chosen = [one["spec"] for one in policies if self._selects(one, pod)]
            for spec in chosen:
                for rule in spec.get("ingress", []):
                    rules += [f"{one} accept" for one in self._matches(rule, pod)]
            if chosen:
                rules.append(f"ip daddr {pod.address} tcp dport 0-65535 reject with tcp reset")
        chain = "type filter hook input priority 0; policy accept;"
        text = "flush ruleset\ntable inet toy {\n chain input {\n" + f"  {chain}\n"
        text += "".join(f"  {rule}\n" for rule in rules) + " }\n}\n"
        subprocess.run(
            ["ip", "netns", "exec", self.name, self._nft, "-f", "-"],
            input=text, text=True, check=True, env=debian.environment(), timeout=SECONDS,
        )  # fmt: skip

    @staticmethod
    def _selects(policy: Mapping[str, Any], pod: ToyPod) -> bool:
        spec = policy["spec"]
        here = policy["metadata"].get("namespace", pod.namespace) == pod.namespace
        return here and "Ingress" in spec["policyTypes"] and _has(pod.labels, spec["podSelector"])

    def _matches(self, rule: Mapping[str, Any], pod: ToyPod) -> Iterable[str]:
        ports = rule.get("ports") or [{"port": "0-65535"}]
        for peer in rule.get("from") or [{"ipBlock": {"cidr": "0.0.0.0/0"}}]:
            for source in self._sources(peer, pod):
                for port in ports:
                    yield f"ip saddr {source} ip daddr {pod.address} tcp dport {port['port']}"

    def _sources(self, peer: Mapping[str, Any], target: ToyPod) -> Iterable[str]:
        if "ipBlock" in peer:
            yield str(ipaddress.ip_network(peer["ipBlock"]["cidr"]))
            return
        for pod in self._pods:
            namespace = {"kubernetes.io/metadata.name": pod.namespace}
            spaces = peer.get("namespaceSelector")
            near = pod.namespace == target.namespace if spaces is None else _has(namespace, spaces)
            if near and _has(pod.labels, peer.get("podSelector", {})):
                yield pod.address


def _has(labels: Mapping[str, str], selector: Mapping[str, Any]) -> bool:
    assert set(selector) <= {"matchLabels"}, selector
    wanted: Mapping[str, str] = selector.get("matchLabels", {})
    return wanted.items() <= labels.items()
