"""Rendered manifests in a real Traefik, in front of a real D-Tale with an address of its own."""

from __future__ import annotations

import base64
import copy
import itertools
import socket
import ssl
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from ruamel.yaml import YAML

from tests.support import ROOT
from tests.support.cluster import ECHO_IPS, GATEWAY, HOST, PREFIX, SLUG, pod_object, put_gateway

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.api_stub import ApiStub
    from tests.support.traefik_process import Traefik

Render = "Callable[..., list[dict[str, Any]]]"

ROUTES = {
    "ingress": ("--route=ingress",),
    "ingress-class": ("--class=traefik",),
    "ingress-headless": ("--class=traefik", "--headless"),
    "ingress-path": ("--class=traefik", f"--path={PREFIX}"),
    "ingressroute": ("--route=ingressroute",),
    "ingressroute-path": ("--route=ingressroute", f"--path={PREFIX}"),
    "ingressroute-strip": ("--route=ingressroute", f"--path={PREFIX}", "--strip"),
    "httproute": ("--route=httproute", "--gateway=jhub/public:web"),
    "httproute-path": ("--route=httproute", "--gateway=public", f"--path={PREFIX}"),
    "httproute-strip": ("--route=httproute", "--gateway=public", f"--path={PREFIX}", "--strip"),
}


@pytest.mark.parametrize("options", ROUTES.values(), ids=list(ROUTES))
def test_browser_reaches_dtale_below_its_slug_and_nothing_else(
    options: tuple[str, ...], api: ApiStub, traefik: Traefik, dtale_pod: str, render: Any
) -> None:
    put_gateway(api, traefik)
    api.put(pod_object("ada", dtale_pod), *render(f"--host={HOST}", *options))
    prefix = PREFIX if f"--path={PREFIX}" in options else ""

    traefik.until_status(200, HOST, f"{prefix}/{SLUG}/dtale/main/1")

    page = traefik.get(HOST, f"{prefix}/{SLUG}/dtale/main/1").body
    asset = page.split('src="')[1].split('"')[0]
    assert asset.startswith(f"{prefix}/")
    assert "/dtale/static/" in asset
    assert traefik.get(HOST, asset).status == 200
    grid = traefik.get(HOST, f"{prefix}/{SLUG}/dtale/data/1?ids=%5B%220-1%22%5D")
    assert grid.json["results"]["0"]["planet"] == "Mars"
    assert traefik.get(HOST, f"{prefix}/dtale/main/1").status == 404
    assert traefik.get(HOST, f"{prefix}/another/dtale/main/1").status == 404
    assert traefik.get("eve.dtale.example.org", f"{prefix}/{SLUG}/dtale/main/1").status == 404


def test_a_gateways_certificate_may_lie_in_the_hubs_namespace(
    api: ApiStub, traefik: Traefik, dtale_pod: str, render: Any, tmp_path: Path
) -> None:
    """With the documented ReferenceGrant, and not without."""
    key, certificate = (tmp_path / name for name in ("key", "certificate"))
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-keyout", key, "-out", certificate, "-subj", "/CN=dtale",
         "-addext", "subjectAltName=DNS:*.dtale.example.org"],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    data = {
        "tls.key": base64.b64encode(key.read_bytes()).decode(),
        "tls.crt": base64.b64encode(certificate.read_bytes()).decode(),
    }
    secret = {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls", "data": data}
    gateway_class, gateway = copy.deepcopy(GATEWAY)
    gateway["metadata"]["namespace"] = "traefik"
    # The API server fills in an empty group.
    reference = {"group": "", "kind": "Secret", "name": "dtale-wildcard", "namespace": "jhub"}
    gateway["spec"]["listeners"] = [
        {
            "name": "websecure", "protocol": "HTTPS", "port": traefik.secure,
            "tls": {"mode": "Terminate", "certificateRefs": [reference]},
            "allowedRoutes": {"namespaces": {"from": "All"}},
        }
    ]  # fmt: skip
    namespaces = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        for name in ("jhub", "traefik")
    ]
    api.put(
        *namespaces, {**secret, "metadata": {"name": "dtale-wildcard"}}, gateway_class, gateway,
        pod_object("ada", dtale_pod),
        *render(f"--host={HOST}", "--route=httproute", "--gateway=traefik/public:websecure",
                "--scheme=https"),
        # Once this one answers, the others were seen as well.
        pod_object("good", dtale_pod), *render("--host=good.dtale.example.org", "--class=traefik",
                                         user="good"),
    )  # fmt: skip
    traefik.until_status(200, "good.dtale.example.org", f"/{SLUG}/dtale/main/1")
    context = ssl.create_default_context(cafile=str(certificate))

    def status() -> int:
        with (
            socket.create_connection(("127.0.0.1", traefik.secure), 10) as plain,
            context.wrap_socket(plain, server_hostname=HOST) as sock,
        ):
            line = f"GET /{SLUG}/dtale/main/1 HTTP/1.1\r\nHost: {HOST}\r\n"
            sock.sendall(f"{line}Connection: close\r\n\r\n".encode())
            return int(sock.makefile("rb").readline().split()[1])

    with pytest.raises(ssl.SSLError):
        status()
    text = (ROOT / "docs" / "kubernetes.md").read_text()
    lines = text[text.index("    apiVersion: gateway.networking.k8s.io/v1beta1") :].splitlines()
    block = "\n".join(itertools.takewhile(lambda line: line.startswith("    "), lines))
    api.put(YAML(typ="safe").load(block))

    def shown() -> bool:
        try:
            return status() == 200
        except OSError:
            return False

    traefik.until(shown, "the Gateway has the certificate")


def _edit(documents: list[dict[str, Any]], kind: str, change: Callable[[Any], None]) -> None:
    change(next(document for document in documents if document["kind"] == kind)["spec"])


def _target_port(documents: list[dict[str, Any]]) -> None:
    _edit(documents, "Service", lambda spec: spec["ports"][-1].update(targetPort=40009))


def _backend(**port: Any) -> Callable[[list[dict[str, Any]]], None]:
    def change(documents: list[dict[str, Any]]) -> None:
        def inner(spec: Any) -> None:
            spec["rules"][0]["http"]["paths"][0]["backend"]["service"].update(**port)

        _edit(documents, "Ingress", inner)

    return change


def _class(documents: list[dict[str, Any]]) -> None:
    _edit(documents, "Ingress", lambda spec: spec.update(ingressClassName="nginx"))


def _selector(documents: list[dict[str, Any]]) -> None:
    wrong = {"hub.jupyter.org/username": "eve"}
    _edit(documents, "Service", lambda spec: spec["selector"].update(wrong))


@pytest.mark.parametrize(
    "spoil",
    [
        _target_port,
        _backend(port={"number": 40009}),
        _backend(port={"name": "http-notebook-dtale"}),
        _backend(name="dtale----jupyter-eve"),
        _class,
        _selector,
    ],
    ids=["target-port", "port-number", "port-name", "service-name", "class", "selector"],
)
def test_a_wrong_manifest_does_not_route(
    spoil: Callable[[Any], None], api: ApiStub, traefik: Traefik, dtale_pod: str, render: Any
) -> None:
    good = render("--host=good.dtale.example.org", "--class=traefik", user="good")
    bad = render(f"--host={HOST}", "--class=traefik")
    spoil(bad)
    api.put(pod_object("ada", dtale_pod), *bad, pod_object("good", dtale_pod), *good)

    # The good one answers, so Traefik has seen the bad one too.
    traefik.until_status(200, "good.dtale.example.org", f"/{SLUG}/dtale/main/1")

    assert traefik.get(HOST, f"/{SLUG}/dtale/main/1").status in {404, 502, 503}


@pytest.mark.parametrize(
    "options",
    [
        ("--class=traefik",),
        ("--route=ingressroute",),
        ("--route=httproute", "--gateway=public"),
    ],
    ids=["ingress", "ingressroute", "httproute"],
)
def test_each_exposed_port_has_its_own_address(
    options: tuple[str, ...], api: ApiStub, traefik: Traefik, dtale_pod: str, render: Any
) -> None:
    assert dtale_pod
    put_gateway(api, traefik)
    documents = render("--host=ada-{port}.example.org", "--ports=40000-40002", *options)
    api.put(pod_object("ada", ECHO_IPS[0]), *documents)
    for port in (40000, 40001, 40002):
        host = f"ada-{port}.example.org"
        traefik.until_status(200, host)
        told = traefik.get(host).json
        assert (told["address"], told["port"]) == (ECHO_IPS[0], port)
        assert (told["path"], told["prefix"]) == ("/", None)


def test_neighbouring_paths_lead_to_their_own_pods(
    api: ApiStub, traefik: Traefik, dtale_pod: str, render: Any
) -> None:
    assert dtale_pod
    shared = ("--host=apps.example.org", "--path=/dtale/{user}", "--shared-host",
              "--route=ingressroute", "--strip")  # fmt: skip
    for user, ip in zip(("ada", "adam"), ECHO_IPS, strict=True):
        api.put(pod_object(user, ip), *render(*shared, user=user))
    for user, ip in zip(("ada", "adam"), ECHO_IPS, strict=True):
        traefik.until_status(200, "apps.example.org", f"/dtale/{user}/x")
        told = traefik.get("apps.example.org", f"/dtale/{user}/x").json
        assert told["address"] == ip
        assert (told["path"], told["prefix"]) == ("/x", f"/dtale/{user}")
    assert traefik.get("apps.example.org", "/dtale/adabert/x").status == 404
