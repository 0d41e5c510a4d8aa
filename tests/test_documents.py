"""What documents name is there: tests, files and headings."""

from __future__ import annotations

import importlib.util
import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from dtale_magics.frontend.magics import DtaleMagics
from tests.support import ROOT

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType


FINDINGS = ROOT / "tests" / "kubernetes" / "README.md"
NAME = re.compile(r"`(test_\w+)`")


@pytest.mark.parametrize("document", [ROOT / "SECURITY.md", FINDINGS], ids=str)
def test_every_test_that_a_document_names_is_there(document: Path) -> None:
    named = set(NAME.findall(document.read_text()))
    files = (ROOT / "tests").rglob("test_*.py")
    defined = {name for file in files for name in re.findall(r"def (test_\w+)", file.read_text())}
    assert named
    assert named <= defined, named - defined


def test_every_finding_of_the_cluster_part_has_tests() -> None:
    rows = [line.split(" | ") for line in FINDINGS.read_text().splitlines()]
    tests = {row[0][2:].partition(":")[0]: NAME.findall(row[-1]) for row in rows if len(row) == 3}
    # B13 is what was right.
    last = {"A": 5, "B": 14, "C": 7, "D": 3}
    findings = {f"{part}{n + 1}" for part, count in last.items() for n in range(count)} - {"B13"}
    assert findings <= tests.keys(), findings - tests.keys()
    assert all(tests[finding] for finding in findings)


def test_every_link_within_the_repository_leads_somewhere() -> None:
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"]
    files = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True)
    pages = [ROOT / name for name in files.stdout.splitlines()]
    assert ROOT / "docs" / "index.md" in pages
    dead = [f"{page.relative_to(ROOT)}: {link}" for page in pages for link in _dead_links(page)]
    assert not dead, dead


def _dead_links(page: Path) -> list[str]:
    text = re.sub(r"(?ms)^```.*?^```$|`[^`\n]*`", "", page.read_text(encoding="utf-8"))
    links = re.findall(r"\]\((?!https?:|mailto:)([^)\s]*)\)", text)
    return [link for link in links if not _is_there(page, link)]


def _is_there(page: Path, link: str) -> bool:
    name, _, anchor = link.partition("#")
    target = (page.parent / name) if name else page
    return target.exists() and (not anchor or target.suffix != ".md" or anchor in _anchors(target))


def _anchors(page: Path) -> set[str]:
    """Headings as GitHub and the site name them."""
    headings = re.findall(r"(?m)^#+ (.+)$", page.read_text(encoding="utf-8"))
    plain = (re.sub(r"[^\w\s-]", "", heading.lower()) for heading in headings)
    return {re.sub(r"\s", "-", heading.strip()) for heading in plain}


def test_the_lists_of_the_site_have_all_that_there_is() -> None:
    """The site itself is built by `make docs`, with packages that the tests do without."""
    made = {name: make() for name, make in _generate().GENERATED.items()}
    pages = "".join(page.read_text() for page in (ROOT / "docs" / "reference").glob("*.md"))
    assert all(f"<!-- {name} -->" in pages and f"<!-- /{name} -->" in pages for name in made)
    assert "`%dtale --report`" in made["%dtale"]
    assert "`%dtale_port --take`" in made["%dtale_port"]
    for name in DtaleMagics.class_traits(config=True):
        assert f"| `{name}`" in made["settings"]
    assert "python -m dtale_magics check" in made["command line"]
    # What the environment may say stands there as well.
    source = (ROOT / "dtale_magics" / "settings.py").read_text()
    for variable in set(re.findall(r'"(DTALE_[A-Z_]+)"', source)):
        assert f"`{variable}`" in made["settings"] + pages, variable


def _generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
