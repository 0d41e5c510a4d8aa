"""Manifests as YAML: stable order, and a comment where an admin must decide."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any

from dtale_magics.errors import DtaleMagicsError, UsageError
from dtale_magics.kubernetes.routes import ROUTES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from dtale_magics.kubernetes.routes.route import Notes

_MADE_BY = "Written by python -m dtale_magics manifests --kustomize, which writes it anew."
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9./_-]*")
_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", "none", "nan"})

MANIFEST_NOTES: dict[str, Notes] = {
    "Service": {
        ("spec", "selector"): "The labels of the pod: kubectl get pod NAME --show-labels",
        ("spec", "clusterIP"): "No address of its own: the controller must go to pods directly.",
    },
    **{kind: notes for route in ROUTES.values() for kind, notes in route.notes.items()},
    "NetworkPolicy": {
        (
            "spec",
            "podSelector",
        ): "Goes with the chart's own policy, which admits the hub. Where the\n"
        "pods have no other policy, this one would lock the hub out.",
        ("spec", "ingress"): "From the namespace in which the ingress controller runs.",
    },
    "RoleBinding": {
        ("subjects",): "The hub's account: kubectl get serviceaccounts",
    },
}


def to_yaml(
    documents: Sequence[Mapping[str, Any]], notes: Notes | None = None, heading: str = ""
) -> str:
    """Write documents one after another.

    Parameters
    ----------
    documents
        Plain mappings. Those with a ``kind`` get that kind's comments.
    notes
        Comments to use instead.
    heading
        A comment at the top.

    Raises
    ------
    DtaleMagicsError
        When the YAML library is not installed.
    """
    try:
        from ruamel.yaml import YAML
    except ImportError:
        raise DtaleMagicsError(
            "Writing YAML needs the library ruamel.yaml, which is not installed.",
            "Type: pip install ruamel.yaml",
        ) from None
    yaml = YAML()
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.width = 4096
    yaml.explicit_start = len(documents) > 1
    stream = io.StringIO()
    commented = []
    for document in documents:
        here = notes if notes is not None else MANIFEST_NOTES.get(document.get("kind", ""), {})
        if "ingressClassName" in document.get("spec", {}):
            here = {path: note for path, note in here.items() if path != ("spec",)}
        commented.append(_commented(document, here, ()))
    yaml.dump_all(commented, stream)
    return _comment(heading) + stream.getvalue()


def write_kustomization(
    directory: Path, documents: Sequence[Mapping[str, Any]], heading: str = ""
) -> list[Path]:
    """Write documents as a base for kustomize, and return the files.

    A ``kustomization.yaml`` that somebody else wrote stays.

    Parameters
    ----------
    directory
        Created if it does not exist.
    documents, heading
        See `to_yaml`.

    Raises
    ------
    UsageError
        When there already is one that somebody else wrote.
    OSError
        When it cannot be written.
    """
    index = directory / "kustomization.yaml"
    if index.exists() and not index.read_text("utf-8").startswith(_comment(_MADE_BY)):
        what = f"{index} was not written by this command, and would be lost."
        raise UsageError(what, "Name another directory, and list it there under: resources")
    directory.mkdir(parents=True, exist_ok=True)
    written = []
    for document in documents:
        path = directory / f"{document['kind'].lower()}-{document['metadata']['name']}.yaml"
        path.write_text(to_yaml([document]), "utf-8")
        written.append(path)
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [path.name for path in written],
    }
    above = f"{_MADE_BY}\n{heading}".strip()
    index.write_text(to_yaml([kustomization], heading=above), "utf-8")
    return [index, *written]


def _comment(text: str) -> str:
    return "".join(f"# {line}\n" for line in text.splitlines())


def _commented(value: Any, notes: Notes, path: tuple[str, ...]) -> Any:
    """Copy plain data into nodes that carry comments; the same object twice is no alias."""
    from ruamel.yaml.comments import CommentedMap, CommentedSeq
    from ruamel.yaml.scalarstring import (
        DoubleQuotedScalarString,
        LiteralScalarString,
    )

    if isinstance(value, dict):
        node = CommentedMap()
        for key, item in value.items():
            here = (*path, key)
            column = 2 * len(path)  # mappings and list entries both indent by two
            written = key if _is_plain(key) else DoubleQuotedScalarString(key)
            node[written] = _commented(item, notes, here)
            if here in notes:
                node.yaml_set_comment_before_after_key(key, before=notes[here], indent=column)
        return node
    if isinstance(value, list):
        return CommentedSeq(
            _commented(item, notes, (*path, str(index))) for index, item in enumerate(value)
        )
    if not isinstance(value, str) or _is_plain(value):
        return value
    if "\n" in value and all(line.isprintable() for line in value.split("\n")):
        return LiteralScalarString(value)
    return DoubleQuotedScalarString(value)


def _is_plain(text: str) -> bool:
    """Whether every reader of YAML takes `text` for text even without quotes.

    kubectl and Helm read YAML 1.1, in which ``on`` is a boolean and ``12:30`` a number.
    """
    return _PLAIN.fullmatch(text) is not None and text.lower() not in _WORDS
