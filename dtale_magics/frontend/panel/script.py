"""The panel's JavaScript as the one module that a widget loads.

It is written as several modules, each of which can be read alone. A widget's module is loaded from
its text, without an address, so it cannot import its neighbours: the parts are joined here.
"""

from __future__ import annotations

import functools
import re
from pathlib import Path

_STATIC = Path(__file__).parents[1] / "static"

PARTS = (
    "elements",
    "theme",
    "page",
    "folding",
    "words",
    "ways",
    "probe",
    "reach",
    "kernel",
    "grid",
    "layout",
    "drawing",
    "clicks",
    "panel",
)
"""Each uses only those before it."""

_IMPORT = re.compile(r'^import \{[^}]*\} from "\./\w+\.js";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?!default)", re.MULTILINE)


@functools.cache
def source() -> str:
    """Return the module that exports `render`."""
    parts = (_STATIC.joinpath(f"{name}.js").read_text(encoding="utf-8") for name in PARTS)
    return "\n".join(_EXPORT.sub("", _IMPORT.sub("", part)) for part in parts)


@functools.cache
def style() -> str:
    """Return the panel's style sheet."""
    return _STATIC.joinpath("panel.css").read_text(encoding="utf-8")
