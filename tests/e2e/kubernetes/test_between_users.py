"""What one user could do to another by the names that users and servers have."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dtale_magics import url_template
from dtale_magics.errors import SettingError
from dtale_magics.kubernetes import ROUTES, Options, Route, Server, expose, render
from dtale_magics.kubernetes.names import kubespawner_pod
from dtale_magics.kubernetes.server import addresses
from dtale_magics.kubernetes.server import url_template as link
from tests.support.cluster import ECHO_IPS, pod_object
from tests.support.repeats import repeats
from tests.support.spawners import hub_config, hub_loop, spawner, stop

if TYPE_CHECKING:
    from tests.support.api_stub import ApiStub
    from tests.support.traefik_process import Traefik

TEMPLATES = [
    (host, path)
    for host in (
        "{user}", "{user}--{server}", "{server}--{user}", "{user}.{server}", "{pod}",
        "{user}-{port}", "{port}-{user}", "x{user}x", "{user}--{server}--{port}", "{pod}--{user}",
        "{user}-{server}", "{server}-{user}", "{user}{server}", "{user}x{server}", "{user}-{pod}",
        "{user}{port}", "{user}-{port}-{server}", "{namespace}-{user}", "{user}-a-{server}",
    )
    for path in ("/", "/{server}", "/{user}_{server}", "/a/{user}/{server}", "/{port}")
]  # fmt: skip
RESERVED = ("hub", "user", "services", "api", "www", "login", "auth")

words = st.lists(
    st.sampled_from(["a", "b", "ada", "gpu", "default", "dtale", "hub", "xn", "40000", "José"]),
    min_size=1,
    max_size=4,
)
names = st.one_of(
    words.map("-".join), words.map("--".join), words.map("".join), st.text(min_size=1, max_size=70)
).filter(lambda name: name.encode(errors="ignore").decode() == name)
servers = st.tuples(names, st.just("") | names)


@settings(deadline=None, max_examples=repeats(120, 1000))
@given(servers, servers, st.sampled_from(TEMPLATES), st.sampled_from([*ROUTES.values()]))
def test_two_servers_share_no_address_and_no_object(
    one: tuple[str, str], other: tuple[str, str], template: tuple[str, str], kind: Route
) -> None:
    host, path = template
    ports = (40000, 40001) if "{port}" in host + path else (40000,)
    options = Options.of(
        host=f"{host}.d.example.org", path=path, route=kind, ports=ports,
        gateway="public" if kind is ROUTES["httproute"] else None,
    )  # fmt: skip
    pair = [Server(*each, namespace="jhub") for each in (one, other)]
    if pair[0] == pair[1]:
        return
    first, second = ({(a.host, a.path) for a in addresses(options, each)} for each in pair)
    assert not first & second
    for (a, b), (c, d) in itertools.product(first, second):
        assert a != c or not f"{b}/".startswith(f"{d}/")
    objects = [{(o["kind"], o["metadata"]["name"]) for o in render(options, s)} for s in pair]
    assert not objects[0] & objects[1]
    # KubeSpawner calls its own Services like its pods.
    assert not {name for _, name in objects[0] | objects[1]} & {each.pod for each in pair}
    assert pair[0].selector != pair[1].selector
    for each in pair:
        for address in addresses(options, each):
            assert not set(address.host.split(".")[:-3]) & set(RESERVED)
            assert address.path.split("/")[1] not in RESERVED


@settings(deadline=None, max_examples=repeats(100, 1000))
@given(servers, st.sampled_from(TEMPLATES))
def test_a_kernel_tells_the_address_that_the_hub_made(
    names: tuple[str, str], template: tuple[str, str]
) -> None:
    user, server = names
    if "\0" in user + server:
        return
    options = Options(f"{template[0]}.d.example.org", template[1])
    hub = Server(user, server, namespace="jhub")
    environ = {
        "JUPYTERHUB_USER": user, "JUPYTERHUB_SERVER_NAME": server,
        "POD_NAME": hub.pod, "POD_NAMESPACE": "jhub",
    }  # fmt: skip
    written = f"http://{template[0]}.d.example.org{template[1]}"
    assert url_template.expand(written, environ, "DTALE_INGRESS_URL") == link(options, hub)


@pytest.mark.parametrize(
    "where",
    [
        {"host": "apps.example.org", "path": "/dtale/{user}"},
        {"host": "apps.example.org", "path": "/{user}"},
        {"host": "{server}.example.org", "path": "/dtale/{user}"},
        {"host": "apps.example.org", "path": "/dtale/{pod}"},
    ],
)
def test_users_share_no_host_unless_somebody_says_so(where: dict[str, Any]) -> None:
    with pytest.raises(SettingError, match="share the host") as caught:
        expose(**where)
    assert "--shared-host" in caught.value.hint
    if where["path"] != "/{user}":
        expose(**where, shared_host=True)
        return
    # There, a user called "hub" would have the Hub's own path.
    with pytest.raises(SettingError, match="take over") as caught:
        expose(**where, shared_host=True)
    assert "/dtale/{user}" in caught.value.hint


@settings(deadline=None, max_examples=repeats(80, 500))
@given(servers)
def test_the_pod_is_called_as_kubespawner_calls_it(names: tuple[str, str]) -> None:
    async def real() -> str:
        return str(spawner(hub_config(None, _NoApi()), *names).pod_name)  # type: ignore[arg-type]

    assert kubespawner_pod(*names) == asyncio.run(real())


class _NoApi:
    url = "http://127.0.0.1:9"


@pytest.mark.parametrize("template", ["{user}--{server}", "{user}-{server}"])
def test_neither_of_two_users_gets_the_others_link(
    template: str, api: ApiStub, traefik: Traefik, dtale_pod: str
) -> None:
    """User ``ada`` calls a server ``gpu-default``, so as to meet user ``ada-gpu``."""
    assert dtale_pod
    api.pod_ips = iter(ECHO_IPS)

    async def hub() -> None:
        async with hub_loop():
            exposure = expose(host=f"{template}.d.example.org", ingress_class="traefik")
            config = hub_config(exposure, api)
            attacker = spawner(config, "ada", "gpu-default")
            victim = spawner(config, "ada-gpu")
            for server in (attacker, victim):
                await server.start()
            for server, ip in zip((attacker, victim), ECHO_IPS, strict=True):
                host = exposure.url(server).removeprefix("http://")
                await asyncio.to_thread(traefik.until_status, 200, host)
                for _ in range(4):
                    assert (await asyncio.to_thread(traefik.get, host)).json["address"] == ip
            host = exposure.url(victim).removeprefix("http://")
            await stop(victim)
            await asyncio.to_thread(traefik.until_status, 404, host)

    asyncio.run(hub())


def test_a_user_called_hub_takes_nothing_from_the_hub(
    api: ApiStub, traefik: Traefik, dtale_pod: str
) -> None:
    assert dtale_pod
    options = Options("hub.example.test", ingress_class="traefik", shared_host=True)
    api.put(pod_object("proxy", ECHO_IPS[0]), *render(options, Server("proxy", namespace="jhub")))
    traefik.until_status(200, "hub.example.test", "/hub/login")
    api.pod_ips = iter([ECHO_IPS[1]] * 3)

    async def hub() -> None:
        async with hub_loop():
            for exposure in (
                expose(host="{user}.example.test", ingress_class="traefik"),
                expose(
                    host="hub.example.test", path="/d/{user}", shared_host=True,
                    ingress_class="traefik",
                ),
            ):  # fmt: skip
                server = spawner(hub_config(exposure, api), "hub")
                await server.start()
                host, _, path = exposure.url(server).removeprefix("http://").partition("/")
                await asyncio.to_thread(traefik.until_status, 200, host, f"/{path}/x")
                for path in ("/hub/login", "/d", "/user/ada/", "/services/x"):
                    answer = await asyncio.to_thread(traefik.get, "hub.example.test", path)
                    assert answer.json["address"] == ECHO_IPS[0]
                await stop(server)

    asyncio.run(hub())


def test_a_user_with_our_objects_name_takes_it_from_nobody(api: ApiStub) -> None:
    api.pod_ips = (f"10.9.0.{n}" for n in itertools.count(1))

    async def hub() -> Any:
        async with hub_loop():
            config = hub_config(expose(host="{user}.example.org"), api)
            config.KubeSpawner.services_enabled = True
            for user in ("ada", "ada-dtale", "dtale-ada", "dtale", "ada-dtale-auth"):
                await spawner(config, user).start()

    asyncio.run(hub())
    for user in ("ada", "ada-dtale"):
        (service,) = api.find("Service", f"dtale----jupyter-{user}")
        assert 40000 in {port["port"] for port in service["spec"]["ports"]}
