"""SECURITY.md names the tests that show what it says."""

from __future__ import annotations

import re

from tests.support import ROOT


def test_every_test_that_the_security_document_names_is_there() -> None:
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "SECURITY.md").read_text()))
    files = (ROOT / "tests").rglob("test_*.py")
    defined = {name for file in files for name in re.findall(r"def (test_\w+)", file.read_text())}
    assert named
    assert named <= defined, named - defined
