"""The pages' JavaScript without a browser: what decides."""

from __future__ import annotations

from pathlib import Path

from dtale_magics.page import files
from tests.support.node import run_tests

STATIC = Path(files.__file__).parent / "static"


def test_what_decides_in_the_pages() -> None:
    run_tests(Path(__file__).parent / "static")


def test_no_module_is_longer_than_a_reader_likes() -> None:
    lines = {path.name: path.read_text().count("\n") for path in STATIC.glob("*.js")}
    assert {name: count for name, count in lines.items() if count > 310} == {}


def test_no_page_has_a_script_or_a_style_in_it() -> None:
    for page in STATIC.glob("*.html"):
        text = page.read_text()
        assert "style=" not in text
        assert all(' src="' in one for one in text.split("<script")[1:])
        assert "onclick" not in text
