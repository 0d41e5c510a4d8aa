"""Values for the zero-to-jupyterhub chart: what its pods, its policy and its hub need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dtale_magics
from dtale_magics.kubernetes.manifests import from_controller
from dtale_magics.kubernetes.options import FIRST_PORT, LAST_PORT, Options

if TYPE_CHECKING:
    from dtale_magics.kubernetes.output import Notes

MAGICS = ("dtale", "dtale_port")
"""Magics that load the extension when they are first typed."""

IPYTHON_CONFIG = "/etc/ipython/ipython_config.py"
"""IPython reads its system-wide configuration there (``ipython --paths``)."""

CONFIG_KEY = "zz-dtale"
"""The chart runs ``extraConfig`` in the order of its keys: the admin's own come first."""

_INSTALL = ("pip", "install", "--no-deps", "--no-cache-dir")

_UNPRIVILEGED = {
    "runAsNonRoot": True,
    "runAsUser": 1000,
    "runAsGroup": 1000,
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}
"""The chart's pod must not run as root (``hub.podSecurityContext``), and the image would. This also
passes the Pod Security level *restricted*."""

TARGET = "/opt/dtale-magics"
"""Where the hub finds this package when its image does not have it."""


def values(options: Options, controller_namespace: str | None = None) -> dict[str, Any]:
    """Build the chart's values.

    Parameters
    ----------
    options
        How every server is reached; host or path must name the user.
    controller_namespace
        Where the ingress controller runs; None opens the ports to every pod that the policy
        would otherwise keep out.

    Raises
    ------
    SettingError
        When all users would share one address.
    """
    options.require_unique_per_user()
    first, last = min(FIRST_PORT, *options.ports), max(LAST_PORT, *options.ports)
    policy: dict[str, Any]
    if controller_namespace is None:
        policy = {"allowedIngressPorts": list(options.ports)}
    else:
        policy = {"ingress": [from_controller(controller_namespace, options.ports)]}
    singleuser = {
        "networkPolicy": policy,
        "extraEnv": {
            "DTALE_MIN_PORT": str(first),
            "DTALE_MAX_PORT": str(last),
            "DTALE_INGRESS_PORT": str(options.ports[0]),
        },
        "extraFiles": {
            "dtale-magics": {"mountPath": IPYTHON_CONFIG, "stringData": ipython_config()}
        },
        "extraPodConfig": {"enableServiceLinks": False},
    }
    mount = {"name": "dtale-magics", "mountPath": TARGET}
    install = {
        "name": "install-dtale-magics",
        "image": "python:3.12-slim",
        "command": [*_INSTALL, "--target", TARGET, f"dtale_magics=={dtale_magics.__version__}"],
        "volumeMounts": [dict(mount)],
        "securityContext": _UNPRIVILEGED,
    }
    hub = {
        "initContainers": [install],
        "extraVolumes": [{"name": "dtale-magics", "emptyDir": {}}],
        "extraVolumeMounts": [mount],
        "extraEnv": {"PYTHONPATH": TARGET},
        "extraConfig": {CONFIG_KEY: hub_config(options)},
    }
    return {"singleuser": singleuser, "hub": hub}


VALUES_NOTES: Notes = {
    ("singleuser",): "Every user's image needs: pip install dtale_magics",
    ("singleuser", "networkPolicy"): "The chart admits nothing but the notebook's own port.",
    ("singleuser", "networkPolicy", "allowedIngressPorts"): "Open to everyone in the cluster. "
    "Narrower: --controller-namespace NAMESPACE",
    ("singleuser", "networkPolicy", "ingress"): "The namespace in which the ingress controller "
    "runs.",
    ("singleuser", "extraFiles"): "%dtale works without %load_ext. Takes the place of a file of "
    "this name in the\nimage; merge them if there is one.",
    ("singleuser", "extraPodConfig"): "One Service for each server would otherwise put about ten "
    "variables for each of\nthem into every pod.",
    ("hub", "initContainers"): "Puts this package where the hub finds it, without what only "
    "notebooks need. Not\nneeded, with the three entries below, in a hub image that has it:\n"
    "pip install --no-deps dtale_magics",
    ("hub", "extraConfig"): "Needs the rights that `python -m dtale_magics manifests --rbac` "
    "prints.",
}


def ipython_config() -> str:
    """Write IPython's configuration that loads the magics when they are first used."""
    lazy = ", ".join(f'"{name}": "dtale_magics"' for name in MAGICS)
    return f"c = get_config()  # noqa\nc.MagicsManager.lazy_magics.update({{{lazy}}})\n"


def hub_config(options: Options) -> str:
    """Write the lines of ``jupyterhub_config.py`` that put the hook in place."""
    arguments: dict[str, Any] = {"host": options.host}
    default = Options(host=options.host)
    if options.path != default.path:
        arguments["path"] = options.path
    if options.ports != default.ports:
        arguments["ports"] = options.ports
    if options.route is not default.route:
        arguments["route"] = options.route.value
    if options.gateway is not None:
        arguments["gateway"] = str(options.gateway)
    for name in ("ingress_class", "tls", "strip", "forward_auth", "headless"):
        value = getattr(options, name)
        if value != getattr(default, name):
            arguments[name] = value
    if options.annotations:
        arguments["annotations"] = dict(options.annotations)
    lines = [f"    {name}={value!r},\n" for name, value in arguments.items()]
    return (
        "from dtale_magics.kubernetes import expose\n\n"
        f"expose(\n{''.join(lines)}).configure(c)  # noqa: F821\n"
    )
