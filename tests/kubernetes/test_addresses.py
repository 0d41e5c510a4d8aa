"""Two servers never share an address, an object or a label, whatever they are called."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dtale_magics.errors import SettingError
from dtale_magics.kubernetes.manifests import render
from dtale_magics.kubernetes.names import RESERVED
from dtale_magics.kubernetes.options import Options
from dtale_magics.kubernetes.server import Server, addresses, url_template
from tests.support.repeats import repeats

TEMPLATES = [
    ("{user}-{server}.d.example.org", "/"),
    ("{server}-{user}.d.example.org", "/"),
    ("{user}{server}.d.example.org", "/"),
    ("x{user}y{server}z.example.org", "/"),
    ("{user}.{server}.example.org", "/"),
    ("{user}.example.org", "/"),
    ("{user}.example.org", "/{server}"),
    ("apps.example.org", "/{user}"),
    ("apps.example.org", "/d/{user}-{server}"),
    ("apps.example.org", "/d/{user}/{server}"),
    ("apps.example.org", "/{server}{user}"),
    ("{pod}.example.org", "/"),
    ("{pod}-{user}.example.org", "/"),
]
WITH_PORT = [
    ("{user}-{port}.d.example.org", "/"),
    ("{user}{port}.d.example.org", "/"),
    ("{port}{user}.d.example.org", "/"),
    ("{user}-{server}-{port}.d.example.org", "/"),
    ("{user}.d.example.org", "/{port}"),
    ("{user}.d.example.org", "/{server}{port}"),
    ("apps.example.org", "/{user}-{port}/{server}"),
]
PORTS = (40000, 40001, 40010)

words = st.sampled_from(["a", "b", "ada", "gpu", "default", "hub", "40000", "4", "www", "x", ""])
hyphened = st.lists(words, min_size=1, max_size=4).map("-".join)
user_names = st.one_of(hyphened.filter(bool), st.text(min_size=1, max_size=30), st.sampled_from(
    sorted(RESERVED)
))  # fmt: skip
server_names = st.one_of(st.just(""), hyphened, st.text(max_size=20))
servers = st.tuples(user_names, server_names)


def places(host: str, path: str, user: str, server: str, ports: tuple[int, ...]) -> set[str]:
    """Every URL of a server, with a slash at its end, so that prefixes count by whole elements."""
    options = Options(host=host, path=path, ports=ports)
    found = {f"{one.url}/" for one in addresses(options, Server(user, server))}
    told = url_template(options, Server(user, server))
    assert found == {f"{told.replace('{port}', str(port))}/" for port in ports}, "as it is told"
    return found


@settings(deadline=None, max_examples=repeats(120, 1000))
@given(st.sampled_from(TEMPLATES + WITH_PORT), servers, servers)
@example(TEMPLATES[0], ("ada-gpu", ""), ("ada", "gpu-default"))
@example(TEMPLATES[0], ("ada-lovelace", ""), ("ada", "lovelace-default"))
@example(TEMPLATES[0], ("a", "b-c"), ("a-b", "c"))
@example(WITH_PORT[1], ("ada", ""), ("ada40000", ""))
@example(TEMPLATES[5], ("ada", "default"), ("ada", ""))
def test_two_servers_share_no_address_no_object_and_no_label(
    template: tuple[str, str], one: tuple[str, str], other: tuple[str, str]
) -> None:
    if one == other:
        return
    ports = PORTS if template in WITH_PORT else PORTS[:1]
    mine, theirs = places(*template, *one, ports), places(*template, *other, ports)
    for first, second in itertools.product(mine, theirs):
        assert not first.startswith(second)
        assert not second.startswith(first)
    options = Options(host=template[0], path=template[1], ports=ports)
    names = [
        {(manifest["kind"], manifest["metadata"]["name"]) for manifest in render(options, server)}
        for server in (Server(*one), Server(*other))
    ]
    assert not names[0] & names[1]
    assert Server(*one).selector != Server(*other).selector


@pytest.mark.parametrize("name", sorted(RESERVED))
def test_a_name_that_is_somebody_elses_is_moved_aside(name: str) -> None:
    server = Server(name)
    for host, path in [("{user}.example.org", "/"), ("apps.example.org", "/{user}")]:
        (address,) = addresses(Options(host=host, path=path), server)
        assert address.host.split(".")[0] not in RESERVED
        assert address.path.split("/")[1] not in RESERVED
    (address,) = addresses(Options(host="h{user}.example.org"), Server("ub"))
    assert address.host.split(".")[0] != "hub"


def test_an_ordinary_name_stays_readable() -> None:
    (address,) = addresses(Options(host="{user}.dtale.example.org"), Server("ada"))
    assert address.url == "http://ada.dtale.example.org"
    (address,) = addresses(Options(host="{user}-{server}.d.example.org"), Server("ada", "gpu"))
    assert address.host.startswith("ada-gpu-")


def test_no_object_is_called_as_a_pod_or_a_service_of_kubespawner_could_be() -> None:
    """With `services_enabled`, KubeSpawner deletes a Service that has its pod's name."""
    for user in ("ada", "ada-dtale", "dtale", "dtale--ada"):
        assert not Server(user).name.startswith("jupyter-")
    assert Server("ada").name != Server("ada-dtale").pod


def test_ports_that_could_be_mistaken_for_a_part_of_a_name_are_refused() -> None:
    with pytest.raises(SettingError, match="numbers of digits"):
        Options(host="{user}{port}.example.org", ports=(4000, 40000))
