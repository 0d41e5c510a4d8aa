"""An admin follows docs/kubernetes.md: its commands as they stand, real kubectl, real Traefik.

The API is the stub, which checks the hub's rights; ``helm`` and ``pip`` are written down, as there
is neither a chart nor an index.
"""

from __future__ import annotations

import asyncio
import os
import re
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ruamel.yaml import YAML

from tests.support import ROOT, debian
from tests.support.cluster import ECHO_IPS, pod_object
from tests.support.spawners import hub_config, hub_loop, spawner

if TYPE_CHECKING:
    from tests.support.api_stub import ApiStub
    from tests.support.traefik_process import Traefik

DOCS = ROOT / "docs" / "kubernetes.md"
CHART_VERBS = ["get", "watch", "list", "create", "delete"]
HOST = "ada.dtale.example.org"


def chart_role() -> list[dict[str, Any]]:
    """What zero-to-jupyterhub's chart lets its hub do."""
    metadata = {"name": "hub", "namespace": "jhub"}
    api = "rbac.authorization.k8s.io"
    core = ["pods", "persistentvolumeclaims", "secrets", "services"]
    rules = [
        {"apiGroups": [""], "resources": core, "verbs": CHART_VERBS},
        {"apiGroups": [""], "resources": ["events"], "verbs": CHART_VERBS[:3]},
    ]
    subjects = [{"kind": "ServiceAccount", "name": "hub", "namespace": "jhub"}]
    reference = {"apiGroup": api, "kind": "Role", "name": "hub"}
    return [
        {"apiVersion": f"{api}/v1", "kind": "Role", "metadata": metadata, "rules": rules},
        {"apiVersion": f"{api}/v1", "kind": "RoleBinding", "metadata": dict(metadata),
         "subjects": subjects, "roleRef": reference},
    ]  # fmt: skip


class Admin:
    """A shell in a directory, with a kubectl that reaches the stub."""

    def __init__(self, directory: Path, api: ApiStub, kubectl: str) -> None:
        self.directory = directory
        tools = directory / "tools"
        tools.mkdir()
        (directory / "dtale_magics-0.1.0-py3-none-any.whl").touch()
        (directory / "your-values.yaml").write_text("hub: {}\n")
        (tools / "kubectl").symlink_to(kubectl)
        for name in ("helm", "pip"):
            (tools / name).write_text(f'#!/bin/sh\necho {name} "$@" >> {directory}/called\n')
            (tools / name).chmod(0o755)
        config = directory / "kubeconfig"
        config.write_text(
            "apiVersion: v1\nkind: Config\ncurrent-context: stub\n"
            f"clusters: [{{name: stub, cluster: {{server: '{api.url}'}}}}]\n"
            "contexts: [{name: stub, context: {cluster: stub, user: admin}}]\n"
            "users: [{name: admin, user: {token: admin}}]\n"
        )
        path = [str(tools), str(Path(sys.executable).parent), os.environ["PATH"]]
        self.environ = {
            **debian.environment(),
            "PATH": os.pathsep.join(path),
            "KUBECONFIG": str(config),
            "HOME": str(directory),
        }

    def type(self, command: str) -> str:
        done = subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", command],
            cwd=self.directory, env=self.environ, capture_output=True, text=True, timeout=120,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout

    @property
    def called(self) -> str:
        return (self.directory / "called").read_text()


@pytest.fixture
def admin(tmp_path: Path, api: ApiStub) -> Admin:
    kubectl = debian.find("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is not installed")
    directory = tmp_path / "admin"
    directory.mkdir()
    return Admin(directory, api, kubectl)


def section(title: str) -> list[str]:
    """The commands of a section, in their order."""
    text = DOCS.read_text().partition(f"## {title}\n")[2]
    text = re.split(r"^## ", text, maxsplit=1, flags=re.MULTILINE)[0].replace("\\\n", " ")
    return re.findall(r"^ {4,}((?:pip|python|kubectl|helm|%config) .*)$", text, re.MULTILINE)


def test_the_ten_minute_path_as_it_stands(
    admin: Admin, api: ApiStub, traefik: Traefik, dtale_pod: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert dtale_pod
    api.put(*chart_role())
    api.checks_rights = True
    everybody: list[str] = []
    one_user: list[str] = []
    for command in section("The ten-minute path"):
        of_one = "--user ada" in command or command.startswith("%config")
        (one_user if of_one else everybody).append(command)
    values, rbac = admin.directory / "dtale-values.yaml", admin.directory / "dtale-rbac.yaml"

    for command in everybody:
        if command.startswith("kubectl apply"):
            break
        admin.type(command)
    assert _start(api, values, "early", ECHO_IPS[0]) is None
    assert "manifests --rbac" in caplog.text  # whoever forgets the next step reads it there

    rest = everybody[everybody.index(command) :]
    for command in rest:
        admin.type(command)
    assert rbac.exists()
    assert "pip install --no-deps dtale_magics-0.1.0-py3-none-any.whl ruamel.yaml" in admin.called
    (helm,) = [line for line in admin.called.splitlines() if line.startswith("helm")]
    assert "--version CHART_VERSION" in helm
    for name in re.findall(r"-f (\S+)", helm):
        assert (admin.directory / name).exists(), name

    caplog.clear()
    assert _start(api, values, "ada", ECHO_IPS[0]) == f"https://{HOST}"
    assert "D-Tale of ada:" not in caplog.text
    traefik.until(lambda: _https(traefik, HOST) == 200, "the address shows the pod")


def test_a_single_user_first_as_it_stands(
    admin: Admin, api: ApiStub, traefik: Traefik, dtale_pod: str
) -> None:
    assert dtale_pod
    api.put(pod_object("ada", ECHO_IPS[0]))
    commands = [one for one in section("The ten-minute path") if "--user ada" in one]
    apply, delete = commands
    admin.type(apply)
    traefik.until_status(200, HOST)
    assert api.find("NetworkPolicy")
    (config,) = [one for one in section("The ten-minute path") if one.startswith("%config")]
    assert config == f"%config DtaleMagics.ingress_url = 'http://{HOST}'"
    assert f"# {config}" in admin.type(apply.partition("|")[0])
    assert "unchanged" in admin.type(apply)
    admin.type(delete)
    traefik.until_status(404, HOST)
    for kind in ("Service", "Ingress", "NetworkPolicy"):
        assert not api.find(kind), kind


def test_a_base_for_kustomize_is_one(admin: Admin, api: ApiStub) -> None:
    (command,) = [one for one in section("Pods without KubeSpawner") if "--pod-label" in one]
    printed = admin.type(command.partition("|")[0])
    admin.type(f"{command.partition('|')[0]} --kustomize base")
    built = admin.type("kubectl kustomize base")

    def objects(text: str) -> list[Any]:
        found = list(YAML(typ="safe").load_all(text))
        return sorted(found, key=lambda one: str(one["kind"]))

    assert objects(built) == objects(printed)
    admin.type("kubectl apply -k base")
    assert [one["metadata"]["namespace"] for one in api.find("Ingress")] == ["team"]


def _start(api: ApiStub, values: Path, user: str, ip: str) -> str | None:
    """Start a server as the chart's hub would; the address of its D-Tale, if it has one."""
    chart = YAML(typ="safe").load(values.read_text())
    api.pod_ips = iter([ip])
    config = hub_config(None, api)
    exec(chart["hub"]["extraConfig"]["zz-dtale"], {"c": config})

    async def start() -> str | None:
        async with hub_loop():
            server = spawner(config, user)
            await server.start()
            found = api.find("Ingress", f"dtale----jupyter-{user}")
            return str(server.get_env()["DTALE_INGRESS_URL"]) if found else None

    return asyncio.run(start())


def _https(traefik: Traefik, host: str) -> int:
    context = ssl._create_unverified_context()
    request = urllib.request.Request(f"https://127.0.0.1:{traefik.secure}/", headers={"Host": host})
    handlers = [urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)]
    try:
        with urllib.request.build_opener(*handlers).open(request, timeout=10) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code
