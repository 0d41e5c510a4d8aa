"""The Ingress of Kubernetes itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from dtale_magics.kubernetes.routes.route import (
    Manifest,
    Notes,
    Route,
    build_object,
    by_host,
    refuse,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dtale_magics.kubernetes.options import Options
    from dtale_magics.kubernetes.server import Server


class Ingress(Route):
    """One rule for each host, one path for each exposed port."""

    name = "ingress"
    resources: ClassVar[Mapping[str, tuple[str, ...]]] = {"networking.k8s.io": ("ingresses",)}
    notes: ClassVar[Mapping[str, Notes]] = {
        "Ingress": {
            ("spec",): "Without ingressClassName the cluster's default class takes this.",
            ("spec", "ingressClassName"): "Your controller's class: kubectl get ingressclass",
            ("spec", "tls"): "The certificate must cover every host; without a secretName the\n"
            "controller's default certificate is used.",
        }
    }

    def check(self, options: Options) -> None:
        """Refuse what only Traefik or a Gateway can do."""
        refuse(options, "gateway", "An Ingress attaches to no Gateway.", "Add: --route httproute")
        what = "Entry points are Traefik's own, an Ingress cannot say them."
        refuse(options, "entry_points", what, "Add: --route ingressroute")
        hint = "Add, with Traefik: --route ingressroute   or   --route httproute"
        for name in ("sign_in", "forward_auth"):
            refuse(options, name, "An Ingress has no standard way to ask for a sign-in.", hint)
        refuse(
            options,
            "strip",
            "An Ingress has no standard way to strip a path.",
            "Add --route ingressroute or --route httproute, or leave the path: D-Tale's server "
            "accepts it either way.",
        )

    def build(self, options: Options, server: Server) -> list[Manifest]:
        """Build the Ingress."""
        hosts = by_host(options, server)
        spec: Manifest = {}
        if options.ingress_class is not None:
            spec["ingressClassName"] = options.ingress_class
        if options.tls is not None:
            entry: Manifest = {"hosts": list(hosts)}
            if options.tls:
                entry["secretName"] = options.tls
            spec["tls"] = [entry]
        spec["rules"] = [
            {
                "host": host,
                "http": {
                    "paths": [
                        {
                            # Some controllers compare text: /dtale/ada would take /dtale/adam too.
                            "path": f"{address.path.rstrip('/')}/",
                            "pathType": "Prefix",
                            "backend": {
                                "service": {"name": server.name, "port": {"number": address.port}}
                            },
                        }
                        for address in group
                    ]
                },
            }
            for host, group in hosts.items()
        ]
        return [build_object("networking.k8s.io/v1", "Ingress", server.name, spec, options)]
