"""The one table of options: what is typed, helped with and documented is the same."""

from __future__ import annotations

import pytest

from dtale_magics.frontend.magics import DtaleMagics
from dtale_magics.frontend.typed.options import DTALE, DTALE_PORT, Magic, readme_table
from tests.support import ROOT

README = ROOT / "README.md"


def test_the_readme_has_the_table() -> None:
    table = readme_table()
    assert table in README.read_text(), f"README.md, 'What to type', is to be:\n\n{table}\n"


@pytest.mark.parametrize(
    ("magic", "function"), [(DTALE, DtaleMagics.dtale), (DTALE_PORT, DtaleMagics.dtale_port)]
)
def test_the_question_mark_shows_every_option(magic: Magic, function: object) -> None:
    shown = function.__doc__ or ""
    assert shown.startswith(magic.says)
    for flag in magic.options:
        assert flag in shown
    assert all(len(line) <= 100 for line in shown.splitlines())


@pytest.mark.parametrize("magic", [DTALE, DTALE_PORT])
def test_an_option_stands_alone_or_goes_with_a_frame(magic: Magic) -> None:
    for option in magic.options.values():
        if option.goes_with:
            assert option.goes_with in magic.options
            assert option.keyword
        else:
            assert bool(option.answer) != bool(option.keyword), option.flag
