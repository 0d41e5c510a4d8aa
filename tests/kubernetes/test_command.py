"""``python -m dtale_magics manifests``, the chart's values, and what they need to be imported."""

from __future__ import annotations

import asyncio
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ruamel.yaml import YAML

from dtale_magics.__main__ import main
from tests.support.spawners import hub_config, hub_loop, spawner

if TYPE_CHECKING:
    from tests.support.api_stub import ApiStub

SHORTEST = ("--host", "ada.dtale.example.org", "--user", "ada")


def load(text: str) -> list[Any]:
    return list(YAML(typ="safe").load_all(text))


def run(*options: str) -> None:
    assert main(["manifests", *options]) == 0


def test_host_and_user_give_service_and_ingress(capsys: pytest.CaptureFixture[str]) -> None:
    run(*SHORTEST)
    text = capsys.readouterr().out
    service, ingress = load(text)
    assert (service["kind"], ingress["kind"]) == ("Service", "Ingress")
    ports = [(p["name"], p["port"], p["targetPort"]) for p in service["spec"]["ports"]]
    assert ports == [("notebook", 80, 8888), ("dtale", 40000, 40000)]
    (rule,) = ingress["spec"]["rules"]
    assert rule["host"] == "ada.dtale.example.org"
    assert "# Without ingressClassName the cluster's default class takes this." in text
    run(*SHORTEST)
    assert capsys.readouterr().out == text


@pytest.mark.parametrize(
    ("options", "said", "typed"),
    [
        (("--user", "ada"), "--host is missing", "--host ada.dtale.example.org"),
        (("--host", "x.org"), "--user is missing", "--user ada"),
        (("--rbac",), "--namespace is missing", "--rbac --namespace jhub"),
        (("--host", "https://x.org", "--user", "a"), "no host name", "Give the host alone"),
        (("--host", "*.x.org", "--user", "a"), "no host name", "not a wildcard"),
        (("--host", f"{'a' * 64}.org", "--user", "a"), "no host name", "63 characters"),
        (("--host", "{name}.org", "--user", "a"), "unknown field {name}", "{user}"),
        (("--host", "{user.org", "--user", "a"), "is no template", "{user}"),
        (("--host", "{user}.x.org", "--user", "a", "--path", "/hub/x"), "below /hub", "/dtale"),
        (("--host", "{user}.x.org", "--user", "a", "--path", "/user"), "below /user", "/dtale"),
        (("--host", "{user}.x.org", "--user", "a", "--path", "/a/../b"), "no path", "/dtale"),
        (("--host", "{user}.x.org", "--user", "a", "--path", "/a/"), "no path", "/dtale"),
        ((*SHORTEST, "--ports", "40000-40001"), "2 ports would share", "{port}"),
        ((*SHORTEST, "--ports", "70000"), "70000 cannot be exposed", "65535"),
        ((*SHORTEST, "--ports", "80"), "80 cannot be exposed", "1024"),
        ((*SHORTEST, "--ports", "8888"), "notebook server's", "40000"),
        ((*SHORTEST, "--ports", "x"), "'x' is neither a port", "--ports 40000"),
        ((*SHORTEST, "--ports", "40000-49999"), "10000 ports were given", "1 to 100"),
        ((*SHORTEST, "--route", "httproute"), "needs the Gateway", "--gateway traefik/public"),
        ((*SHORTEST, "--gateway", "a/b"), "attaches to no Gateway", "--route httproute"),
        ((*SHORTEST, "--strip"), "no standard way", "--route ingressroute"),
        ((*SHORTEST, "--forward-auth", "http://x"), "ask for a sign-in", "--route ingressroute"),
        ((*SHORTEST, "--sign-in", "https://hub.x.org"), "service in the hub", "--values"),
        ((*SHORTEST, "--entry-point", "web"), "Entry points are Traefik's", "ingressroute"),
        ((*SHORTEST, "--route", "ingressroute", "--class", "x"), "no class", "--route ingress"),
        ((*SHORTEST, "--annotation", "bad key=1"), "no name of an annotation", "example.org/"),
        ((*SHORTEST, "--pod-label", "bad key/x/y=1"), "no name of a label", "app=jupyterhub"),
        ((*SHORTEST, "--controller-cidr", "10.0.0.1/8"), "is no network", "10.0.0.0/16"),
        ((*SHORTEST, "--host", "1.2.3.4"), "no host name", "letters"),
        ((*SHORTEST, "--ports", "40002-40000"), "ends before it begins", "40000-40002"),
        ((*SHORTEST, "--route", "nginx"), "invalid choice", "manifests --help"),
        ((*SHORTEST, "--kustomize", "/proc/x"), "cannot be written", "--kustomize ./dtale"),
        (("--user", "---"), "expected one argument", "manifests --help"),
        ((*SHORTEST, "--tls", "My_Secret"), "no name of a Secret", "kubectl get secrets"),
        ((*SHORTEST, "--class", "Traefik!"), "no class name", "kubectl get ingressclass"),
        ((*SHORTEST, "--namespace", "A"), "no namespace", "kubectl get namespaces"),
        ((*SHORTEST, "--pod-label", "app"), "an equals sign", "--pod-label app=jupyterhub"),
        ((*SHORTEST, "--pod-label", f"a={'x' * 64}"), "cannot be selected by", "63"),
        (("--values", "--host", "x.org"), "Every user would get the same", "{user}.x.org"),
    ],
)
def test_a_wrong_option_says_what_to_type(
    options: tuple[str, ...], said: str, typed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["manifests", *options]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    what, hint = err.splitlines()
    assert said in what
    assert typed in hint


def test_help_teaches_with_commands_that_work(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["manifests", "--help"])
    assert caught.value.code == 0
    text = capsys.readouterr().out.replace("\\\n", " ")
    commands = [line.strip() for line in text.splitlines() if "-m dtale_magics manifests -" in line]
    assert len(commands) == 4
    for command in commands:
        words = shlex.split(command.split(" | ")[0].split(" > ")[0])
        run(*words[words.index("manifests") + 1 :])
        assert load(capsys.readouterr().out)


def chart_values(capsys: pytest.CaptureFixture[str], *options: str) -> Any:
    run("--values", "--host", "{user}.dtale.example.org", *options)
    (values,) = load(capsys.readouterr().out)
    return values


def test_chart_values_lead_a_real_spawner_to_service_ingress_and_settings(
    capsys: pytest.CaptureFixture[str], api: ApiStub
) -> None:
    """Do with the values what the chart's own jupyterhub_config.py does."""
    values = chart_values(capsys, "--class=traefik", "--tls", "--ports=40005")
    api.pod_ips = iter(["10.9.0.1"])
    config = hub_config(None, api)
    config.KubeSpawner.environment = values["singleuser"]["extraEnv"]
    config.KubeSpawner.extra_pod_config = values["singleuser"]["extraPodConfig"]
    exec(values["hub"]["extraConfig"]["zz-dtale"], {"c": config})

    async def hub() -> None:
        async with hub_loop():
            await spawner(config, "ada").start()

    asyncio.run(hub())
    (pod,) = api.find("Pod")
    env = {entry["name"]: entry.get("value") for entry in pod["spec"]["containers"][0]["env"]}
    assert env["DTALE_MIN_PORT"] == "40000"
    assert env["DTALE_MAX_PORT"] == "49000"
    assert env["DTALE_INGRESS_PORT"] == "40005"
    assert env["DTALE_INGRESS_URL"] == "https://ada.dtale.example.org"
    assert pod["spec"]["enableServiceLinks"] is False
    (ingress,) = api.find("Ingress")
    assert ingress["spec"]["ingressClassName"] == "traefik"
    assert ingress["spec"]["rules"][0]["host"] == "ada.dtale.example.org"


def test_chart_values_load_the_magics_lazily(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = chart_values(capsys)["singleuser"]["extraFiles"]["dtale-magics"]
    profile = tmp_path / "profile_default"
    profile.mkdir()
    (profile / "ipython_config.py").write_text(file["stringData"])
    done = subprocess.run(
        [sys.executable, "-m", "IPython", "--ipython-dir", str(tmp_path), "-c",
         "print(get_ipython().magics_manager.lazy_magics)"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for magic in ("dtale", "dtale_port"):
        assert f"'{magic}': 'dtale_magics'" in done.stdout


def test_chart_values_open_the_ports_to_the_controller(
    capsys: pytest.CaptureFixture[str],
) -> None:
    policy = chart_values(capsys)["singleuser"]["networkPolicy"]
    assert policy == {"allowedIngressPorts": [40000]}
    policy = chart_values(capsys, "--controller-namespace=traefik")["singleuser"]["networkPolicy"]
    ((rule,),) = policy.values()
    selector = rule["from"][0]["namespaceSelector"]["matchLabels"]
    assert selector == {"kubernetes.io/metadata.name": "traefik"}
    assert rule["ports"] == [{"port": 40000, "protocol": "TCP"}]


BLOCKED = ("dtale", "pandas", "numpy", "flask", "IPython", "ipywidgets", "psutil", "werkzeug")
HUB = f"""
import sys
for name in {(*BLOCKED, "ruamel", "traitlets", "jupyterhub", "kubespawner")!r}:
    sys.modules[name] = None  # an import of it fails
import asyncio, logging, types
from dtale_magics.kubernetes import expose

logging.basicConfig(format="%(message)s", level=logging.INFO, stream=sys.stdout)
from kubernetes_asyncio.client import ApiClient, Configuration, CoreV1Api

async def main():
    async with ApiClient(Configuration(host=sys.argv[1])) as client:
        spawner = types.SimpleNamespace(
            user=types.SimpleNamespace(name="ada"), name="", namespace="jhub",
            pod_name="jupyter-ada", api=CoreV1Api(client), log=logging.getLogger(),
        )
        pod = {{"metadata": {{"name": "jupyter-ada", "uid": "1", "labels": {{"a": "b"}}}}}}
        await expose(host="{{user}}.example.org")(spawner, pod)

asyncio.run(main())
"""


def test_the_hub_needs_nothing_of_a_notebooks_packages(api: ApiStub) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", HUB, api.url],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "D-Tale of ada is exposed at http://ada.example.org" in done.stdout
    assert len(api.find("Ingress")) == 1


def test_the_command_needs_only_the_yaml_library() -> None:
    code = f"""
import sys
for name in {(*BLOCKED, "kubernetes_asyncio", "aiohttp")!r}:
    sys.modules[name] = None
from dtale_magics.__main__ import main
code = main(["manifests", "--host", "x.org", "--user", "ada"])
sys.modules["ruamel"] = sys.modules["ruamel.yaml"] = None
sys.exit(code or main(["manifests", "--host", "x.org", "--user", "ada"]))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert "kind: Ingress" in done.stdout
    assert done.returncode == 2
    assert "pip install ruamel.yaml" in done.stderr


def test_a_base_for_kustomize_is_written_anew_and_never_over_anothers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = tmp_path / "base"
    for _ in range(2):
        run(*SHORTEST, "--kustomize", str(directory))
        written = [Path(line) for line in capsys.readouterr().out.splitlines()]
        assert written[0] == directory / "kustomization.yaml"
        (index,) = load(written[0].read_text())
        assert [directory / name for name in index["resources"]] == written[1:]
        kinds = [load(path.read_text())[0]["kind"] for path in written[1:]]
        assert kinds == ["Service", "Ingress"]
    (directory / "kustomization.yaml").write_text("resources: []\n")
    assert main(["manifests", *SHORTEST, "--kustomize", str(directory)]) == 2
    assert "was not written by this command" in capsys.readouterr().err
    assert (directory / "kustomization.yaml").read_text() == "resources: []\n"


def test_one_servers_yaml_says_what_no_hook_tells(capsys: pytest.CaptureFixture[str]) -> None:
    run("--host", "{user}.x.org", "--user", "Ada", "--scheme=https", "--public-port=8443")
    text = capsys.readouterr().out
    (line,) = [line for line in text.splitlines() if "ingress_url" in line]
    assert line == f"# %config DtaleMagics.ingress_url = '{_url_of(text)}:8443'"
    assert "# JupyterHub keeps names in lower case: is it --user ada?" in text


def _url_of(text: str) -> str:
    _, ingress = load(text)
    return f"https://{ingress['spec']['rules'][0]['host']}"


def test_a_controller_that_is_no_pod_is_admitted_by_its_network(
    capsys: pytest.CaptureFixture[str],
) -> None:
    run(*SHORTEST, "--controller-cidr=10.0.0.0/16", "--controller-cidr=fd00::/8")
    policy = load(capsys.readouterr().out)[-1]
    (rule,) = policy["spec"]["ingress"]
    blocks = [{"ipBlock": {"cidr": cidr}} for cidr in ("10.0.0.0/16", "fd00::/8")]
    assert rule["from"] == blocks
    both = chart_values(capsys, "--controller-cidr=10.0.0.0/16", "--controller-namespace=traefik")
    ((rule,),) = both["singleuser"]["networkPolicy"].values()
    assert [*rule["from"][0], *rule["from"][1]] == ["namespaceSelector", "ipBlock"]


def test_output_that_cannot_be_written_is_said() -> None:
    command = [sys.executable, "-m", "dtale_magics", "manifests", *SHORTEST]
    with open("/dev/full", "w") as full:  # noqa: PTH123 (a device)
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "No space left on device" in done.stderr
    # Names that the terminal's encoding has not, and bytes that are no text in it.
    plain = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"}
    for user in ("José", b"\xff"):
        done = subprocess.run(
            [*command[:-1], user], env=plain, capture_output=True, text=True, check=False
        )
        assert done.returncode == 2
        assert "Traceback" not in done.stderr
        assert "is no name that a hub knows" in done.stderr
