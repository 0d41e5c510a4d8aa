"""What the *restricted* level of Pod Security says of pods that the hook and the values change."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from ruamel.yaml import YAML

from dtale_magics.__main__ import main
from dtale_magics.kubernetes import expose
from tests.support.spawners import hub_config, hub_loop, spawner

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.support.api_stub import ApiStub

HOST = "{user}.dtale.example.org"
SAFE_SYSCTLS = {
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",  # since Kubernetes 1.27
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",
    "net.ipv4.tcp_syncookies",
}
POD = {"runAsNonRoot": True, "fsGroup": 100, "seccompProfile": {"type": "RuntimeDefault"}}
CONTAINER = {
    "runAsUser": 1000,
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
}


def violations(spec: dict[str, Any]) -> list[str]:
    """Say what the restricted level forbids in a pod's spec, and what no kubelet would start.

    An image whose user nobody knows is taken for one that runs as root.
    """
    pod = spec.get("securityContext") or {}
    found = [name for name in ("hostNetwork", "hostPID", "hostIPC") if spec.get(name)]
    found += [f"volume {one['name']}" for one in spec.get("volumes") or () if one.get("hostPath")]
    sysctls = {one["name"] for one in pod.get("sysctls") or ()}
    found += sorted(sysctls - SAFE_SYSCTLS)
    for container in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ())):
        found += [f"{container['name']}: {what}" for what in _of_container(container, pod)]
    return found


def _of_container(container: dict[str, Any], pod: dict[str, Any]) -> Iterable[str]:
    own = container.get("securityContext") or {}
    both = {**pod, **own}
    if own.get("privileged") or own.get("allowPrivilegeEscalation") is not False:
        yield "may gain privileges"
    capabilities = own.get("capabilities") or {}
    if "ALL" not in (capabilities.get("drop") or ()) or capabilities.get("add"):
        yield "keeps capabilities"
    if not both.get("runAsNonRoot") or not both.get("runAsUser"):
        yield "may run as root"
    if (both.get("seccompProfile") or {}).get("type") not in {"RuntimeDefault", "Localhost"}:
        yield "has no seccomp profile"


@pytest.mark.parametrize("reserve_ports", [True, False])
def test_a_restricted_namespace_admits_the_pods_that_the_hook_has_changed(
    api: ApiStub, *, reserve_ports: bool
) -> None:
    async def hub() -> None:
        async with hub_loop():
            config = hub_config(None, api)
            config.KubeSpawner.pod_security_context = dict(POD)
            config.KubeSpawner.container_security_context = dict(CONTAINER)
            expose(host=HOST, reserve_ports=reserve_ports).configure(config)
            await spawner(config, "ada").start()

    api.pod_ips = iter(["10.9.0.1"])
    asyncio.run(hub())
    (pod,) = api.find("Pod")
    context = pod["spec"]["securityContext"]
    assert bool(context.get("sysctls")) is reserve_ports
    assert context["runAsNonRoot"] is True
    assert violations(pod["spec"]) == []


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--controller-namespace=traefik", "--tls"),
        ("--route=ingressroute", "--sign-in=https://hub.example.org"),
    ],
)
def test_the_values_bring_nothing_that_a_restricted_namespace_refuses(
    options: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """The chart's hub has ``runAsNonRoot`` for the pod, which holds for containers of one's own."""
    assert main(["manifests", "--values", "--host", HOST, *options]) == 0
    values = YAML(typ="safe").load(capsys.readouterr().out)
    for part in ("hub", "singleuser"):
        brought = [
            container
            for key in ("initContainers", "extraContainers")
            for container in values[part].get(key, ())
        ]
        spec = {"securityContext": POD, "containers": brought}
        spec |= values[part].get("extraPodConfig", {}) | values[part].get("extraPodSpec", {})
        assert violations(spec) == []
