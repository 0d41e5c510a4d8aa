from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks import __main__ as runner
from benchmarks.rows import Row, Sample

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("ours", "plain", "verdict"),
    [
        ([1.0, 1.1, 0.9], [1.0, 1.0, 1.0], "yes"),
        ([1.2, 1.0, 1.3], [1.0, 1.1, 0.9], "noise"),
        ([2.0, 2.1, 1.9], [1.0, 1.0, 1.0], "NO"),
    ],
)
def test_a_goal_is_missed_when_the_spread_does_not_explain_it(
    ours: list[float], plain: list[float], verdict: str
) -> None:
    row = Row("a row", "s", Sample.of(ours), Sample.of(plain), 1.05)
    assert row.verdict == verdict
    assert row.missed == (verdict == "NO")


def test_the_table_is_renewed_between_its_markers(tmp_path: Path) -> None:
    document = tmp_path / "performance.md"
    document.write_text("before\n<!-- table -->\nold\n<!-- /table -->\nafter\n")
    rows = [Row("a row", "s", Sample.of([1.0]), Sample.of([2.0]), 1.05)]
    for _ in range(2):
        runner.write_document(rows, document)
    text = document.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old" not in text
    assert text.count("| a row | s | 1 | 2 | 0.5 | <= 1.05 | yes |") == 1
