"""The hook in a real KubeSpawner: what it creates, what the API's failures do to a spawn."""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from typing import TYPE_CHECKING, Any

import kubernetes_validate
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dtale_magics.errors import SettingError
from dtale_magics.kubernetes import expose
from dtale_magics.kubernetes.store import State
from tests.support.api_stub import ApiStub
from tests.support.cluster import ECHO_IPS
from tests.support.spawners import hub_config, hub_loop, spawner, stop

if TYPE_CHECKING:
    from tests.support.traefik_process import Traefik

HOST = "{user}.dtale.example.org"


def fake_ips() -> Any:
    return (f"10.9.{n // 250}.{n % 250 + 1}" for n in itertools.count())


@pytest.fixture(autouse=True)
def pod_ips(api: ApiStub) -> None:
    api.pod_ips = fake_ips()


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, logger="hub")
    return caplog


def environment(pod: dict[str, Any]) -> dict[str, str]:
    return {entry["name"]: entry.get("value", "") for entry in pod["spec"]["containers"][0]["env"]}


def host_of(pod: dict[str, Any]) -> str:
    """Take the host from what the kernel in this pod will be told."""
    scheme, host = environment(pod)["DTALE_INGRESS_URL"].split("://")
    assert scheme == "http"
    return host


@pytest.mark.parametrize(
    "options",
    [{"ingress_class": "traefik"}, {"route": "ingressroute"}],
    ids=["ingress", "ingressroute"],
)
def test_what_the_hook_creates_is_what_traefik_routes(
    options: dict[str, Any], api: ApiStub, traefik: Traefik, dtale_pod: str
) -> None:
    assert dtale_pod
    api.pod_ips = iter(ECHO_IPS)
    api.collects = False  # the removal must work by itself

    async def hub() -> None:
        async with hub_loop():
            config = hub_config(expose(host=HOST, **options), api)
            default = spawner(config, "José@example.org")
            named = spawner(config, "José@example.org", "gpu")
            hosts = []
            for server, ip in zip((default, named), ECHO_IPS, strict=True):
                await server.start()
                host = host_of(api.find("Pod", server.pod_name)[0])
                hosts.append(host)
                await asyncio.to_thread(traefik.until_status, 200, host)
                assert (await asyncio.to_thread(traefik.get, host)).json["address"] == ip
            await stop(default)
            await asyncio.to_thread(traefik.until_status, 404, hosts[0])
            assert (await asyncio.to_thread(traefik.get, hosts[1])).json["address"] == ECHO_IPS[1]

    asyncio.run(hub())
    kind = "Ingress" if "ingress_class" in options else "IngressRoute"
    assert len(api.find(kind)) == len(api.find("Service")) == 1


names = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=80)
awkward = st.sampled_from(
    [
        *("ada", "Ada", "ADA", "ada-gpu", "ada--gpu", "jo", "a" * 255, "名前", "ada@example.org"),
        *("ada.example.org", "-", "x-", "0", "default", "ada-0123456789abc"),
    ]
)
server_names = st.one_of(st.just(""), st.sampled_from(["gpu", "default", "GPU"]), names)


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sets(st.tuples(awkward | names, server_names), min_size=2, max_size=8))
def test_every_name_gets_a_valid_address_of_its_own(servers: set[tuple[str, str]]) -> None:
    async def hub(api: ApiStub) -> None:
        async with hub_loop():
            config = hub_config(expose(host=HOST), api)
            running = [spawner(config, *names) for names in sorted(servers)]
            await asyncio.gather(*(server.start() for server in running))

    with ApiStub() as api:
        api.pod_ips = fake_ips()
        asyncio.run(hub(api))

        pods = api.find("Pod")
        routes = api.find("Ingress")
        assert len(pods) == len(routes) == len(api.find("Service")) == len(servers)
        hosts = {rule["host"] for route in routes for rule in route["spec"]["rules"]}
        assert hosts == {host_of(pod) for pod in pods}
        assert len(hosts) == len(servers)
        for host in hosts:
            assert all(len(label) <= 63 for label in host.split("."))
        # Each Service finds one pod, and it is the one that owns it.
        owners = {pod["metadata"]["uid"]: pod["status"]["podIP"] for pod in pods}
        for service in api.find("Service"):
            kubernetes_validate.validate(clean(service), "1.34", strict=True)
            (slice_,) = api.find("EndpointSlice", f"{service['metadata']['name']}-slice")
            (endpoint,) = slice_["endpoints"]
            (owner,) = service["metadata"]["ownerReferences"]
            assert endpoint["addresses"] == [owners[owner["uid"]]]
        for route in routes:
            kubernetes_validate.validate(clean(route), "1.34", strict=True)


def clean(stored: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in stored.items() if key != "status"}


def start_one(api: ApiStub, user: str = "ada", deadline: float = 10.0, times: int = 1) -> None:
    async def hub() -> None:
        async with hub_loop():
            config = hub_config(expose(host=HOST, deadline=deadline), api)
            for _ in range(times):
                server = spawner(config, user)
                await server.start()

    asyncio.run(hub())


def test_pod_has_the_settings_and_the_reserved_ports(api: ApiStub) -> None:
    start_one(api)
    (pod,) = api.find("Pod")
    assert environment(pod)["DTALE_INGRESS_URL"] == "http://ada.dtale.example.org"
    assert environment(pod)["DTALE_INGRESS_PORT"] == "40000"
    sysctls = pod["spec"]["securityContext"]["sysctls"]
    assert sysctls == [{"name": "net.ipv4.ip_local_reserved_ports", "value": "40000-49000"}]
    owner = {"apiVersion": "v1", "kind": "Pod", "name": "jupyter-ada"}
    for kind in ("Service", "Ingress"):
        (made,) = api.find(kind)
        assert made["metadata"]["ownerReferences"][0].items() >= owner.items()
        assert made["metadata"]["ownerReferences"][0]["uid"] == pod["metadata"]["uid"]


def test_objects_go_with_their_pod_when_the_hub_does_not_remove_them(api: ApiStub) -> None:
    start_one(api)
    api.delete(api.find("Pod")[0])
    assert api.find("Service") == api.find("Ingress") == []


def test_left_over_objects_are_taken_over_by_the_new_pod(api: ApiStub) -> None:
    api.collects = False
    start_one(api, times=2)  # the second start deletes the first pod and keeps its objects
    (pod,) = api.find("Pod")
    for kind in ("Service", "Ingress"):
        (made,) = api.find(kind)
        assert made["metadata"]["ownerReferences"][0]["uid"] == pod["metadata"]["uid"]


def test_somebody_elses_object_is_left_alone(api: ApiStub, log: pytest.LogCaptureFixture) -> None:
    theirs = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "dtale----jupyter-ada"},
        "spec": {"selector": {"app": "else"}, "ports": []},
    }
    api.put(theirs)

    async def hub() -> None:
        async with hub_loop():
            server = spawner(hub_config(expose(host=HOST), api), "ada")
            await server.start()
            await stop(server)

    asyncio.run(hub())
    (service,) = api.find("Service")
    assert service["spec"]["selector"] == {"app": "else"}
    assert "Service dtale----jupyter-ada belongs to somebody else" in log.text


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (403, "python -m dtale_magics manifests --rbac"),
        (422, "the API answered 422"),
        (500, "the API answered 500"),
        (30.0, "the API did not answer"),
    ],
)
def test_a_failing_api_costs_the_route_and_not_the_spawn(
    fault: float, said: str, api: ApiStub, log: pytest.LogCaptureFixture
) -> None:
    api.faults = lambda _, path: fault if "/ingresses" in path else None
    before = time.monotonic()
    start_one(api, deadline=3.0)
    assert time.monotonic() - before < 30
    assert len(api.find("Pod")) == len(api.find("Service")) == 1
    assert api.find("Ingress") == []
    (warning,) = [
        record.message
        for record in log.records
        if record.levelno == logging.WARNING and "D-Tale of ada" in record.message
    ]
    assert said in warning


@pytest.mark.parametrize("fault", [500, 503, 429, 0.0])
def test_a_passing_trouble_is_ridden_out(
    fault: float, api: ApiStub, log: pytest.LogCaptureFixture
) -> None:
    left = iter([fault, fault])
    api.faults = lambda method, path: (
        next(left, None) if method == "POST" and "/ingresses" in path else None
    )
    start_one(api)
    assert len(api.find("Ingress")) == 1
    assert "D-Tale of ada is exposed at http://ada.dtale.example.org" in log.text


def test_a_lost_answer_does_not_make_the_retry_fail(api: ApiStub) -> None:
    """The create arrives, its answer does not: the retry finds its own object."""
    seen: list[str] = []

    def lose(method: str, path: str) -> None:
        if method == "POST" and path.endswith("/ingresses") and not seen:
            seen.append(path)
            metadata = {
                "name": "dtale----jupyter-ada",
                "labels": {"app.kubernetes.io/managed-by": "dtale-magics"},
                "annotations": {"dtale-magics/user": "ada", "dtale-magics/server": ""},
            }
            ingress = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress"}
            api.put({**ingress, "metadata": metadata, "spec": {}})

    api.faults = lose
    start_one(api)
    (ingress,) = api.find("Ingress")
    assert ingress["spec"]["rules"][0]["host"] == "ada.dtale.example.org"


def test_two_hubs_that_expose_one_pod_at_once_agree(api: ApiStub) -> None:
    async def hub() -> list[Any]:
        async with hub_loop():
            first, second = expose(host=HOST), expose(host=HOST)
            server = spawner(hub_config(None, api), "ada")
            await server.start()
            (pod,) = api.find("Pod")
            return await asyncio.gather(*(e(server, pod) for e in (first, second) * 4))

    outcomes = [outcome for each in asyncio.run(hub()) for outcome in each]
    assert {outcome.state for outcome in outcomes} == {State.CREATED, State.REPLACED}
    assert len(api.find("Service")) == len(api.find("Ingress")) == 1


def test_two_hubs_in_one_namespace_keep_apart(api: ApiStub) -> None:
    async def hub() -> None:
        async with hub_loop():
            servers = []
            for release in ("blue", "green"):
                exposure = expose(host=f"{{user}}.{release}.example.org")
                config = hub_config(exposure, api)
                config.KubeSpawner.pod_name_template = f"{release}-{{user_server}}"
                config.KubeSpawner.extra_labels = {"release": release}
                servers.append(spawner(config, "ada"))
            await asyncio.gather(*(server.start() for server in servers))
            for service in api.find("Service"):
                name = f"{service['metadata']['name']}-slice"
                (slice_,) = api.find("EndpointSlice", name)
                assert len(slice_["endpoints"]) == 1
            await stop(servers[0])

    asyncio.run(hub())
    (ingress,) = api.find("Ingress")
    assert ingress["spec"]["rules"][0]["host"] == "ada.green.example.org"


def test_a_hub_whose_hooks_are_taken_keeps_them(api: ApiStub) -> None:
    called = []

    async def earlier(_: Any, pod: Any) -> None:
        called.append(pod["metadata"]["name"])

    async def hub() -> None:
        async with hub_loop():
            config = hub_config(None, api)
            config.KubeSpawner.after_pod_created_hook = earlier
            config.KubeSpawner.post_stop_hook = lambda _: called.append("stopped")
            config.KubeSpawner.environment = {"OWN": "kept"}
            config.KubeSpawner.pod_security_context = {"fsGroup": 7}
            expose(host=HOST).configure(config)
            server = spawner(config, "ada")
            await server.start()
            (pod,) = api.find("Pod")
            assert environment(pod)["OWN"] == "kept"
            assert pod["spec"]["securityContext"]["fsGroup"] == 7
            await stop(server)

    asyncio.run(hub())
    assert called == ["jupyter-ada", "stopped"]
    assert api.find("Service") == api.find("Ingress") == []


def test_a_hook_that_is_replaced_afterwards_is_missed(
    api: ApiStub, log: pytest.LogCaptureFixture
) -> None:
    """The chart runs extraConfig in the order of its keys: another key may come later."""

    async def hub() -> None:
        async with hub_loop():
            config = hub_config(expose(host=HOST), api)
            await spawner(config, "bob").start()
            assert "was set after" not in log.text
            config.KubeSpawner.after_pod_created_hook = lambda *_: None
            await spawner(config, "ada").start()

    asyncio.run(hub())
    assert "D-Tale of ada gets no route" in log.text


def test_ports_are_not_reserved_where_the_cluster_forbids_it(api: ApiStub) -> None:
    async def hub() -> None:
        async with hub_loop():
            config = hub_config(expose(host=HOST, reserve_ports=False), api)
            await spawner(config, "ada").start()

    asyncio.run(hub())
    (pod,) = api.find("Pod")
    assert "sysctls" not in pod["spec"].get("securityContext", {})


def test_a_service_that_becomes_headless_is_made_anew(api: ApiStub) -> None:
    async def hub() -> None:
        async with hub_loop():
            server = spawner(hub_config(expose(host=HOST), api), "ada")
            await server.start()
            (pod,) = api.find("Pod")
            await expose(host=HOST, headless=True)(server, pod)

    asyncio.run(hub())
    (service,) = api.find("Service")
    assert service["spec"]["clusterIP"] == "None"


def test_an_address_for_everyone_is_refused_when_the_hub_starts() -> None:
    with pytest.raises(SettingError, match="Every user would get the same address") as caught:
        expose(host="dtale.example.org")
    assert "{user}.dtale.example.org" in caught.value.hint


def test_an_address_that_gets_too_long_costs_the_route_and_not_the_spawn(
    api: ApiStub, log: pytest.LogCaptureFixture
) -> None:
    async def hub() -> None:
        async with hub_loop():
            exposure = expose(host="{user}." + ".".join(["b" * 60] * 4))
            server = spawner(hub_config(exposure, api), "a" * 30)
            await server.start()

    asyncio.run(hub())
    assert len(api.find("Pod")) == 1
    assert "longer than DNS allows" in log.text
