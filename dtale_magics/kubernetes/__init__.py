"""Make D-Tale visible on JupyterHub in Kubernetes: manifests, and a hook for KubeSpawner.

Cheap to import, because the hub imports it, and has neither D-Tale nor pandas nor a YAML library.
"""

from dtale_magics.kubernetes.hook import Exposure, expose
from dtale_magics.kubernetes.manifests import hub_role, pod_sysctls, render
from dtale_magics.kubernetes.options import Options
from dtale_magics.kubernetes.policy import Controller, network_policy
from dtale_magics.kubernetes.routes import ROUTES, Gateway, Route
from dtale_magics.kubernetes.server import Owner, Server

__all__ = [
    "ROUTES",
    "Controller",
    "Exposure",
    "Gateway",
    "Options",
    "Owner",
    "Route",
    "Server",
    "expose",
    "hub_role",
    "network_policy",
    "pod_sysctls",
    "render",
]
