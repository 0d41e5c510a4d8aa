"""What the rendered values do to a hub of the chart, and to its admin's own values."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from jupyterhub.app import JupyterHub
from ruamel.yaml import YAML
from traitlets.config import Config

from dtale_magics.__main__ import main
from dtale_magics.kubernetes import expose
from dtale_magics.kubernetes.command.bundle import TARGET
from dtale_magics.version import VERSION
from tests.support import ROOT

HOST = "{user}.dtale.example.org"
ACCESS = "access:services!service=dtale-sign-in"


def printed(capsys: pytest.CaptureFixture[str], *options: str) -> str:
    assert main(["manifests", *options]) == 0
    return capsys.readouterr().out


def values(capsys: pytest.CaptureFixture[str], *options: str) -> Any:
    return YAML(typ="safe").load(printed(capsys, "--values", "--host", HOST, *options))


def merged(base: Any, over: Any) -> Any:
    """Merge as Helm does: maps by key, everything else is replaced."""
    if not isinstance(base, dict) or not isinstance(over, dict):
        return over
    return {**base, **{key: merged(base.get(key), value) for key, value in over.items()}}


def test_the_hub_gets_files_and_nothing_that_fetches_or_runs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """No container that the chart's ``runAsNonRoot`` would stop, no index that has to be there."""
    hub = values(capsys)["hub"]
    assert set(hub) == {"extraFiles", "extraConfig"}
    for key, file in hub["extraFiles"].items():
        assert set(key) <= set("abcdefghijklmnopqrstuvwxyz.-")  # a key of a Secret
        assert file["mountPath"].startswith(f"{TARGET}/dtale_magics/")
        assert set(file) == {"mountPath", "stringData"}
    size = sum(len(file["stringData"].encode()) for file in hub["extraFiles"].values())
    assert size < 200_000  # one Secret has room for 1 MiB
    assert VERSION in hub["extraFiles"]["dtale-magics.--init--.py"]["stringData"]


HUB = """
import sys, types
for name in ("dtale", "pandas", "IPython", "psutil", "flask", "ruamel", "traitlets", "yaml"):
    sys.modules[name] = None
class Section(dict):
    __getattr__ = dict.__getitem__
    __setattr__ = dict.__setitem__
section = Section(environment={}, pod_security_context={})
c = types.SimpleNamespace(KubeSpawner=section)
exec(open(sys.argv[1]).read())
import dtale_magics
print(dtale_magics.__file__)
hook = section["after_pod_created_hook"]
spawner = types.SimpleNamespace(
    user=types.SimpleNamespace(name="ada"), name="", namespace="jhub", pod_name="jupyter-ada",
    after_pod_created_hook=hook,
)
print(section["environment"]["DTALE_INGRESS_URL"](spawner))
print(section["pod_security_context"])
"""


def test_the_files_are_all_that_the_hub_needs(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    hub = values(capsys, "--tls", "--no-reserved-ports")["hub"]
    for file in hub["extraFiles"].values():
        place = tmp_path / Path(file["mountPath"]).relative_to(TARGET)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(file["stringData"])
    config = tmp_path / "config.py"
    config.write_text(hub["extraConfig"]["zz-dtale"].replace(TARGET, str(tmp_path)))
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", HUB, str(config)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    file, url, context = done.stdout.splitlines()
    assert file == str(tmp_path / "dtale_magics" / "__init__.py")
    assert url == "https://ada.dtale.example.org"
    assert context == "{}"


def test_what_the_admin_has_stays(capsys: pytest.CaptureFixture[str]) -> None:
    own = {
        "hub": {
            "extraVolumes": [{"name": "oidc-ca"}],
            "initContainers": [{"name": "git-chown"}],
            "extraEnv": {"PYTHONPATH": "/srv"},
            "extraFiles": {"own": {"mountPath": "/x"}},
            "extraConfig": {"myHooks": "pass"},
        },
        "singleuser": {"extraFiles": {"own": {"mountPath": "/x"}}, "extraEnv": {"A": "b"}},
    }
    both = merged(own, values(capsys))

    def kept(before: Any, after: Any) -> bool:
        if isinstance(before, dict):
            return all(key in after and kept(value, after[key]) for key, value in before.items())
        return bool(before == after)

    assert kept(own, both)
    assert sorted(both["hub"]["extraConfig"]) == ["myHooks", "zz-dtale"]


def test_a_list_that_replaces_the_admins_own_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    """No list is left but the policy's, and that one has a comment."""
    for options in ((), ("--controller-namespace", "traefik")):
        text = printed(capsys, "--values", "--host", HOST, *options)

        def lists(value: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
            if isinstance(value, list):
                return [path]
            if isinstance(value, dict):
                return [found for key, item in value.items() for found in lists(item, (*path, key))]
            return []

        ((*where, _),) = lists(YAML(typ="safe").load(text))
        assert where == ["singleuser", "networkPolicy"]
        assert "# Helm replaces lists" in text


# fmt: off
WORDS = ["on", "off", "yes", "no", "y", "n", "Y", "NO", "true", "null", "~", "12:30", "190:20:30",
         "1e3", "0x1", "1_000", "2001-01-01", ".5", "-", "=", "<<", "a: b", "#", "\x85", "é", "'",
         '"', "&a", "*a", "!a", "%a", "@a", "`a", "{user}", "[a]", " a ", "a #b", "---",
         "a\tb"]
# fmt: on


@pytest.mark.parametrize("word", WORDS)
def test_text_is_text_to_readers_of_yaml_1_1(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Helm and kubectl read YAML 1.1, as PyYAML does."""
    user = word if word.isprintable() else "ada"
    options = ["--host=x.example.org", f"--user={user}", f"--annotation=example.org/x={word}"]
    _, ingress = yaml.safe_load_all(printed(capsys, *options))
    marks = ingress["metadata"]["annotations"]
    assert marks["example.org/x"] == word
    assert marks["dtale-magics/user"] == user


@pytest.mark.parametrize(
    "options",
    [
        ("--values", "--host", HOST, "--user", "ada"),
        ("--values", "--host", HOST, "--server", "gpu"),
        ("--values", "--host", HOST, "--namespace", "jhub"),
        ("--values", "--host", HOST, "--pod-label", "a=b"),
        ("--rbac", "--namespace", "jhub", "--host", HOST),
        ("--rbac", "--namespace", "jhub", "--user", "ada"),
        ("--sysctl", "--host", HOST),
        ("--sysctl", "--namespace", "jhub"),
        ("--host", "x.org", "--user", "ada", "--no-reserved-ports"),
    ],
)
def test_an_option_that_changes_nothing_is_refused(
    options: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["manifests", *options]) == 2
    out, err = capsys.readouterr()
    assert not out
    assert "changes nothing" in err


def test_what_browsers_use_is_told_apart_from_what_the_controller_has(
    capsys: pytest.CaptureFixture[str],
) -> None:
    route = ("--route", "httproute", "--gateway", "gw/public:websecure", "--scheme", "https")
    config = values(capsys, *route)["hub"]["extraConfig"]["zz-dtale"]
    assert "scheme='https'" in config
    outside = (
        "--route=ingressroute",
        "--scheme=https",
        "--entry-point=plain",
        "--public-port=8443",
    )
    assert "public_port=8443" in values(capsys, *outside)["hub"]["extraConfig"]["zz-dtale"]
    text = printed(capsys, "--host", "x.example.org", "--user", "ada", *outside)
    _, found = YAML(typ="safe").load_all(text)
    assert found["spec"]["entryPoints"] == ["plain"]
    assert "tls" not in found["spec"]
    wild = ("--tls", "wild", *route[:4])
    assert main(["manifests", "--host", "x.example.org", "--user", "ada", *wild]) == 2
    assert "--scheme https" in capsys.readouterr().err


def test_the_documented_commands_work(capsys: pytest.CaptureFixture[str]) -> None:
    text = (ROOT / "docs" / "kubernetes.md").read_text()
    text = text.replace("\\\n", " ")
    commands = re.findall(r"^ {4,}(python -m dtale_magics manifests .*)$", text, re.MULTILINE)
    assert len(commands) >= 6
    for command in commands:
        words = shlex.split(re.split(r" \| | > ", command)[0])
        found = list(YAML(typ="safe").load_all(printed(capsys, *words[4:])))
        assert found
        if "kubectl delete" in command:
            # What is taken away is what the same options made.
            assert command.replace("delete", "apply") in commands


def test_the_page_says_what_is_needed_and_who_has_to_restart() -> None:
    text = (ROOT / "docs" / "kubernetes.md").read_text()
    path = text.partition("## The ten-minute path")[2].partition("\n## ")[0]
    needed, _, steps = path.partition("\n1. ")
    assert "wildcard **certificate**" in needed
    upgrade, _, after = steps.partition("helm upgrade")
    assert upgrade
    assert "**Stop and start** a server" in after


def test_the_hubs_account_may_have_another_name(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, "--rbac", "--namespace=jhub", "--service-account=own-hub")
    _, binding = YAML(typ="safe").load_all(text)
    assert [subject["name"] for subject in binding["subjects"]] == ["own-hub"]


def test_a_mesh_is_told_that_the_ports_speak_http(capsys: pytest.CaptureFixture[str]) -> None:
    service, _ = YAML(typ="safe").load_all(printed(capsys, "--host=x.org", "--user=ada"))
    assert {port["appProtocol"] for port in service["spec"]["ports"]} == {"http"}


@pytest.mark.parametrize(
    ("version", "own", "roles", "extra"),
    [
        (5, None, [{"name": "user", "scopes": ["self", ACCESS]}], None),
        (6, None, None, {ACCESS}),
        # What an admin has said of users' role stays, and would hide what is added beside it.
        (6, {"name": "user", "scopes": ["self", "x"]}, ["self", "x", ACCESS], None),
        (
            5,
            {"name": "admins", "scopes": ["x"]},
            [{"name": "user", "scopes": ["self", ACCESS]}],
            None,
        ),
    ],
)
def test_every_user_may_sign_in(
    *, version: int, own: Any, roles: Any, extra: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jupyterhub.version_info", (version, 0))
    monkeypatch.setenv("POD_NAMESPACE", "jhub")
    config = Config()
    if own:
        config.JupyterHub.load_roles = [own]
    exposure = expose(host=HOST, route="ingressroute", sign_in="https://hub.example.org")
    exposure.configure(config)
    hub = JupyterHub(config=config)
    (service,) = hub.services
    assert service["url"] == "http://hub:10290"
    assert exposure.options.forward_auth == "http://hub.jhub.svc:10290/verify"
    if own and own["name"] == "user":
        (role,) = hub.load_roles
        assert role["scopes"] == roles
    elif roles:
        assert hub.load_roles == [*([own] if own else []), *roles]
    assert (
        config.JupyterHub.get("extra_user_scopes", None) is None or hub.extra_user_scopes == extra
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--route=ingress",), "no standard way to ask for a sign-in"),
        (("--host={pod}.x.org",), "knows names of users and servers alone"),
        (("--host={user}.{namespace}.x.org",), "knows names of users and servers alone"),
        (("--host=x.org", "--path=/d/{user}", "--shared-host"), "knows by the host"),
        (("--sign-in=hub.example.org",), "is no URL"),
    ],
)
def test_a_sign_in_that_could_not_work_is_refused(
    options: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    common = ["--values", f"--host={HOST}", "--route=ingressroute", "--sign-in=https://hub.x.org"]
    assert main(["manifests", *common, *options]) == 2
    assert said in capsys.readouterr().err
