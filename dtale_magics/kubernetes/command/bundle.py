"""This package's own source, as files that the chart puts into the hub.

So the hub needs no package index when it starts and no container that fetches anything, and always
has the version that rendered the values. The files are plain source, so an admin can read them.
"""

from __future__ import annotations

from importlib import resources

from dtale_magics.version import VERSION

TARGET = "/usr/local/share/dtale-magics"
"""Where the hub finds the files."""

_BASE = ("errors.py", "naming.py", "version.py")
_PACKAGE = "kubernetes"
_NOT_IN_THE_HUB = frozenset({"bundle.py", "cli.py", "output.py", "parser.py", "values.py"})


def files() -> dict[str, str]:
    """Return path below `TARGET` and text of each file."""
    root = resources.files("dtale_magics")
    # The real one would import the part for notebooks.
    found = {"__init__.py": f'"""What the hub needs of dtale_magics {VERSION}."""\n'}
    found |= {name: (root / name).read_text("utf-8") for name in _BASE}
    for folder in (_PACKAGE, f"{_PACKAGE}/routes"):
        for file in sorted((root / folder).iterdir(), key=lambda file: file.name):
            if file.name.endswith(".py") and file.name not in _NOT_IN_THE_HUB:
                found[f"{folder}/{file.name}"] = file.read_text("utf-8")
    return {f"dtale_magics/{name}": text for name, text in found.items()}


def extra_files() -> dict[str, dict[str, str]]:
    """Return the files as the chart's ``hub.extraFiles``, which Helm merges with others."""
    return {
        # A key becomes the key of a Secret, which may not have slashes.
        path.replace("/", ".").replace("_", "-"): {
            "mountPath": f"{TARGET}/{path}",
            "stringData": text,
        }
        for path, text in files().items()
    }
