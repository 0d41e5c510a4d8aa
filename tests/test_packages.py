"""The house: rooms that one can find."""

from __future__ import annotations

from pathlib import Path

import pytest

import dtale_magics

ROOT = Path(dtale_magics.__file__).parent
PACKAGES = sorted(path.parent for path in ROOT.rglob("__init__.py"))
MAX_MODULES = 12


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.relative_to(ROOT.parent))
def test_a_package_has_at_most_a_dozen_modules(package: Path) -> None:
    private = {"__init__", "__main__", "version"}
    modules = [path.stem for path in package.glob("*.py") if path.stem not in private]
    assert len(modules) <= MAX_MODULES, modules
