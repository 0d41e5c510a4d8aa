"""The recipes of docs/kubernetes.md get through the chart's NetworkPolicy, and open no more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from ruamel.yaml import YAML

from dtale_magics.__main__ import main
from tests.support import debian, pods
from tests.support.network_policy import ToyNode, ToyPod

if TYPE_CHECKING:
    from collections.abc import Iterator

NOTEBOOK, DTALE = 8888, 40000
ACCESS = {"hub.jupyter.org/network-access-singleuser": "true"}
SERVER = {"app": "jupyterhub", "release": "jhub", "component": "singleuser-server"}

ADA = ToyPod("198.51.100.11", "jhub", SERVER)
BEA = ToyPod("198.51.100.12", "jhub", SERVER)
PROXY = ToyPod("198.51.100.13", "jhub", {"component": "proxy", **ACCESS})
TRAEFIK = ToyPod("198.51.100.14", "traefik")
STRANGER = ToyPod("198.51.100.15", "elsewhere")
NODE = ToyPod("203.0.113.7", "")
ALL = (ADA, BEA, PROXY, TRAEFIK, STRANGER, NODE)


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ToyNode]:
    if (reason := pods.reason_against()) is not None:
        pytest.skip(reason)
    nft = debian.find("nft")
    if nft is None:
        pytest.skip("nft is not installed")
    with ToyNode(tmp_path_factory.mktemp("node"), nft, ALL) as one:
        one.listen(ADA, NOTEBOOK, DTALE)
        yield one


def chart_policy(values: Any = None) -> dict[str, Any]:
    """Build what the chart makes of ``singleuser.networkPolicy``."""
    own = (values or {}).get("singleuser", {}).get("networkPolicy", {})
    rules = [{"from": [{"podSelector": {"matchLabels": ACCESS}}], "ports": [{"port": NOTEBOOK}]}]
    rules += [{"ports": [{"port": port}]} for port in own.get("allowedIngressPorts", [])]
    spec = {
        "podSelector": {"matchLabels": SERVER},
        "policyTypes": ["Ingress"],
        "ingress": [*rules, *own.get("ingress", [])],
    }
    return {"metadata": {"name": "singleuser", "namespace": "jhub"}, "spec": spec}


def rendered(capsys: pytest.CaptureFixture[str], *options: str) -> list[Any]:
    assert main(["manifests", *options]) == 0
    return list(YAML(typ="safe").load_all(capsys.readouterr().out))


def who_reaches_dtale(node: ToyNode) -> set[str]:
    others = {"bea": BEA, "proxy": PROXY, "traefik": TRAEFIK, "stranger": STRANGER, "node": NODE}
    return {name for name, pod in others.items() if node.reaches(pod, ADA, DTALE)}


def test_the_chart_alone_lets_nobody_reach_dtale(node: ToyNode) -> None:
    node.enforce([])
    assert len(who_reaches_dtale(node)) == 5  # what the policies take away was there
    node.enforce([chart_policy()])
    assert who_reaches_dtale(node) == set()
    assert node.reaches(PROXY, ADA, NOTEBOOK)
    assert not node.reaches(TRAEFIK, ADA, NOTEBOOK)


@pytest.mark.parametrize(
    ("options", "admitted"),
    [
        ((), set()),
        (("--controller-namespace", "traefik"), {"traefik"}),
        (("--controller-cidr", "203.0.113.0/24"), {"node"}),
    ],
)
def test_the_recipe_for_one_user(
    options: tuple[str, ...],
    admitted: set[str],
    node: ToyNode,
    capsys: pytest.CaptureFixture[str],
) -> None:
    common = ("--host", "ada.dtale.example.org", "--user", "ada", "--namespace", "jhub")
    found = rendered(capsys, *common, *options)
    node.enforce([chart_policy(), *(one for one in found if one["kind"] == "NetworkPolicy")])
    assert who_reaches_dtale(node) == admitted
    assert node.reaches(PROXY, ADA, NOTEBOOK)
    assert not node.reaches(TRAEFIK, ADA, NOTEBOOK)


@pytest.mark.parametrize(
    ("options", "admitted"),
    [
        ((), {"bea", "proxy", "traefik", "stranger", "node"}),  # a comment in the values says so
        (("--controller-namespace", "traefik"), {"traefik"}),
        (("--controller-cidr", "203.0.113.0/24"), {"node"}),
    ],
)
def test_the_values_for_everybody(
    options: tuple[str, ...],
    admitted: set[str],
    node: ToyNode,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (values,) = rendered(capsys, "--values", "--host", "{user}.dtale.example.org", *options)
    node.enforce([chart_policy(values)])
    assert who_reaches_dtale(node) == admitted
    assert not node.reaches(TRAEFIK, ADA, NOTEBOOK)
