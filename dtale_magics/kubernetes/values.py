"""Values for the zero-to-jupyterhub chart: what its pods, its policy and its hub need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dtale_magics.kubernetes import sign_in
from dtale_magics.kubernetes.command.bundle import TARGET, extra_files
from dtale_magics.kubernetes.options import FIRST_PORT, LAST_PORT, Options
from dtale_magics.kubernetes.policy import Controller, rule
from dtale_magics.version import VERSION

if TYPE_CHECKING:
    from dtale_magics.kubernetes.routes.route import Notes

MAGICS = ("dtale", "dtale_port")
"""Magics that load the extension when they are first typed."""

IPYTHON_CONFIG = "/etc/ipython/ipython_config.py"
"""IPython reads its system-wide configuration there (``ipython --paths``)."""

CONFIG_KEY = "zz-dtale"
"""Our key in ``hub.extraConfig``, which the chart runs in the order of its keys: ours is last."""


def values(
    options: Options, controller: Controller | None = None, *, reserve_ports: bool = True
) -> dict[str, Any]:
    """Build the chart's values.

    Parameters
    ----------
    options
        How every server is reached; host or path must name the user.
    controller
        Where the ingress controller's connections come from; None opens the ports to every pod
        that the policy would otherwise keep out.
    reserve_ports
        See `dtale_magics.kubernetes.expose`.

    Raises
    ------
    SettingError
        When all users would share one address.
    """
    options.require_unique_per_user()
    first, last = min(FIRST_PORT, *options.ports), max(LAST_PORT, *options.ports)
    policy: dict[str, Any]
    if controller is None:
        policy = {"allowedIngressPorts": list(options.ports)}
    else:
        policy = {"ingress": [rule(controller.peers, options.ports)]}
    singleuser = {
        "networkPolicy": policy,
        "extraEnv": {
            "DTALE_MIN_PORT": str(first),
            "DTALE_MAX_PORT": str(last),
            "DTALE_INGRESS_PORT": str(options.ports[0]),
            "DTALE_INGRESS_PORTS": ",".join(map(str, options.ports)),
        },
        "extraFiles": {
            "dtale-magics": {"mountPath": IPYTHON_CONFIG, "stringData": ipython_config()}
        },
        "extraPodConfig": {"enableServiceLinks": False},
    }
    hub: dict[str, Any] = {
        "extraFiles": extra_files(),
        "extraConfig": {CONFIG_KEY: hub_config(options, reserve_ports=reserve_ports)},
    }
    if options.sign_in is not None:
        hub |= sign_in.values(controller)
    return {"singleuser": singleuser, "hub": hub}


VALUES_NOTES: Notes = {
    (
        "singleuser",
    ): f"Every user's image needs dtale_magics {VERSION}: install the wheel that you render with.\n"
    "Servers that run already have no D-Tale address until they are stopped and started.",
    ("singleuser", "networkPolicy"): "The chart admits nothing but the notebook's own port.",
    ("singleuser", "networkPolicy", "allowedIngressPorts"): "Open to everyone in the cluster. "
    "Narrower: --controller-namespace NAMESPACE\n"
    "Helm replaces lists: add the entries of your own list of this name, if you have one.",
    ("singleuser", "networkPolicy", "ingress"): "Where the ingress controller's connections come "
    "from.\nHelm replaces lists: add the entries of your own list of this name, if you have one.",
    ("singleuser", "extraFiles"): "%dtale works without %load_ext. Takes the place of a file of "
    "this name in the\nimage; merge them if there is one.",
    ("singleuser", "extraPodConfig"): "One Service for each server would otherwise put about ten "
    "variables for each of\nthem into every pod.",
    ("hub", "extraFiles"): f"The hook of dtale_magics {VERSION}, as source. The hub fetches "
    "nothing and needs no\nother image.",
    ("hub", "service", "extraPorts"): "The sign-in's own port. Helm replaces lists: add the "
    "entries of your own, if you have any.",
    ("hub", "networkPolicy", "ingress"): "Lets the Hub's proxy and the ingress controller reach "
    "the sign-in.\nHelm replaces lists: add the entries of your own, if you have any.",
    ("hub", "extraConfig"): "Needs the rights that `python -m dtale_magics manifests --rbac` "
    "prints. The chart\nruns these in the order of their keys: this one shall be the last.",
}


def ipython_config() -> str:
    """Write IPython's configuration that loads the magics when they are first used."""
    lazy = ", ".join(f'"{name}": "dtale_magics"' for name in MAGICS)
    return f"c = get_config()  # noqa\nc.MagicsManager.lazy_magics.update({{{lazy}}})\n"


def hub_config(options: Options, *, reserve_ports: bool = True) -> str:
    """Write the lines of ``jupyterhub_config.py`` that put the hook in place."""
    arguments = options.changed()
    if not reserve_ports:
        arguments["reserve_ports"] = False
    lines = [f"    {name}={value!r},\n" for name, value in arguments.items()]
    return (
        f"import sys\n\nsys.path.insert(0, {TARGET!r})\n"
        "from dtale_magics.kubernetes import expose  # noqa: E402\n\n"
        f"expose(\n{''.join(lines)}).configure(c)  # noqa: F821\n"
    )
