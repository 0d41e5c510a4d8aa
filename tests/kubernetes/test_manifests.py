"""Every combination of options against the official schemas, and against what those cannot say."""

from __future__ import annotations

import functools
import itertools
import json
import re
from typing import Any

import kubernetes_validate
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kubespawner.slugs import is_valid_label, safe_slug

from dtale_magics.kubernetes import (
    ROUTES,
    Controller,
    Gateway,
    Options,
    Owner,
    Server,
    hub_role,
    network_policy,
    pod_sysctls,
    render,
)
from dtale_magics.kubernetes.names import is_service_name, kubespawner_label, object_name
from dtale_magics.naming import slug
from tests.support.repeats import repeats

VERSIONS = ("1.27", "1.30", "1.34", "1.37")
LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
SERVERS = (
    Server("ada", namespace="jhub", owner=Owner("jupyter-ada", "f00d")),
    Server("José Ångström@example.org" * 9, "gpu"),
)


def combinations() -> list[Options]:
    found = []
    for kind, path, ports, tls, headless, notebook in itertools.product(
        ROUTES.values(),
        ("/", "/dtale/{user}"),
        ((40000,), (40000, 40001)),
        (None, "", "wildcard-tls"),
        (False, True),
        (8888, None),
    ):
        host = "{user}-{port}.example.org" if len(ports) > 1 else "{user}.example.org"
        shared: dict[str, Any] = {
            "host": host, "path": path, "ports": ports, "tls": tls, "headless": headless,
            "notebook_port": notebook, "route": kind,
        }  # fmt: skip
        if kind is ROUTES["httproute"]:
            shared["gateway"] = Gateway("public", "traefik", "web")
            shared["tls"] = None if tls is None else ""  # the Gateway has the certificate
        elif kind is ROUTES["ingress"]:
            shared |= {"ingress_class": "traefik", "annotations": {"example.org/x": "y"}}
        found.append(Options(**shared))
        if kind is not ROUTES["ingress"] and path != "/":
            found.append(Options(**shared, strip=True))
        if kind is not ROUTES["ingress"]:
            found.append(Options(**shared, forward_auth="http://auth.svc/verify"))
    return found


def check(manifest: dict[str, Any], version: str) -> None:
    if "traefik.io" in manifest["apiVersion"] or "gateway" in manifest["apiVersion"]:
        return  # custom kinds have no official schema; Traefik itself reads them in test_routing
    _check(json.dumps(manifest), version)


@functools.cache  # many combinations have the same Service, and the schemas are large
def _check(manifest: str, version: str) -> None:
    kubernetes_validate.validate(json.loads(manifest), version, strict=True)


def check_limits(documents: list[dict[str, Any]]) -> None:
    """What the API server or the controller refuses although the schema allows it."""
    names = [(document["kind"], document["metadata"]["name"]) for document in documents]
    assert len(set(names)) == len(names)
    service = next(document for document in documents if document["kind"] == "Service")
    assert is_service_name(service["metadata"]["name"])
    ports = service["spec"]["ports"]
    assert all(len(port["name"]) <= 15 for port in ports)
    for part in ("name", "port"):
        assert len({port[part] for port in ports}) == len(ports)
    assert all(len(value) <= 63 for value in service["spec"]["selector"].values())
    backends = []
    hosts = []
    for document in documents:
        spec = document["spec"]
        for rule in spec.get("rules", ()):
            if "http" in rule:
                hosts.append(rule["host"])
                backends += [path["backend"]["service"] for path in rule["http"]["paths"]]
            backends += rule.get("backendRefs", ())
        hosts += spec.get("hostnames", ())
        for route in spec.get("routes", ()):
            backends += route["services"]
            hosts += re.findall(r"Host\(`([^`]+)`\)", route["match"])
            known = {name for kind, name in names if kind == "Middleware"}
            assert {entry["name"] for entry in route.get("middlewares", ())} <= known
        for entry in spec.get("tls", ()) if isinstance(spec.get("tls"), list) else ():
            assert set(entry["hosts"]) == {rule["host"] for rule in spec["rules"]}
    assert backends
    for backend in backends:
        number = backend["port"]["number"] if isinstance(backend["port"], dict) else backend["port"]
        assert backend["name"] == service["metadata"]["name"]
        assert number in {port["port"] for port in ports}
    assert hosts
    for host in hosts:
        assert len(host) <= 253
        assert all(LABEL.fullmatch(label) for label in host.split("."))


@pytest.mark.parametrize("version", VERSIONS)
def test_every_combination_is_valid(version: str) -> None:
    options = combinations()
    assert len(options) > 100
    for each, server in itertools.product(options, SERVERS):
        for document in render(each, server):
            check(document, version)


def test_every_combination_keeps_the_limits_that_no_schema_states() -> None:
    for each, server in itertools.product(combinations(), SERVERS):
        check_limits(render(each, server))


@pytest.mark.parametrize("version", VERSIONS)
def test_policy_role_and_pod_patch_are_valid(version: str) -> None:
    for controller in (
        Controller("traefik"),
        Controller(cidrs=("10.0.0.0/16", "fd00::/8")),
        Controller("traefik", ("10.0.0.1/32",)),
    ):
        check(network_policy(controller, (40000, 40001), "jhub"), version)
    for kind in ROUTES.values():
        for document in hub_role(kind, "jhub"):
            check(document, version)
    containers = [{"name": "notebook", "image": "x"}]
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}}
    check({**pod, "spec": {"containers": containers, **pod_sysctls()}}, version)


def test_the_hub_may_do_what_the_hook_asks_for() -> None:
    """Compare the Role with the objects that the hook would send."""
    plurals = {
        "Service": "services",
        "Ingress": "ingresses",
        "IngressRoute": "ingressroutes",
        "Middleware": "middlewares",
        "HTTPRoute": "httproutes",
    }
    for options in combinations():
        role, _ = hub_role(options.route, "jhub")
        allowed = {
            (group, resource)
            for rule in role["rules"]
            for group in rule["apiGroups"]
            for resource in rule["resources"]
            if {"get", "create", "update", "delete"} <= set(rule["verbs"])
        }
        for document in render(options, SERVERS[0]):
            group = document["apiVersion"].rpartition("/")[0]
            assert (group, plurals[document["kind"]]) in allowed


names = st.one_of(
    st.text(min_size=1, max_size=100),
    st.from_regex(r"[a-z0-9-]{1,70}", fullmatch=True),
    st.from_regex(r"[a-z]{1,5}-[a-z2-7]{13}", fullmatch=True),
)


@settings(deadline=None, max_examples=repeats(100, 1000))
@given(st.lists(names, min_size=1, max_size=2), st.lists(names, min_size=1, max_size=2))
def test_two_different_names_never_share_a_label(one: list[str], other: list[str]) -> None:
    for parts in (one, other):
        assert LABEL.fullmatch(slug(*parts))
        assert "--" not in slug(*parts)
        assert is_service_name(object_name(parts[0]))
        # What a name became must not be another user's own name.
        if slug(*parts) != parts[0]:
            assert slug(slug(*parts)) != slug(*parts)
    if one != other:
        assert slug(*one) != slug(*other)
        if one[0] != other[0]:
            assert object_name(one[0]) != object_name(other[0])


@settings(deadline=None, max_examples=repeats(100, 1000))
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=100) | names)
def test_the_selector_is_what_kubespawner_labels_its_pods_with(name: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError:
        return
    assert kubespawner_label(name) == safe_slug(name, is_valid=is_valid_label)
