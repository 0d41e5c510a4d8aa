"""The panel's JavaScript without a browser: what decides, and the one module that a page loads."""

from __future__ import annotations

import re
from pathlib import Path

from dtale_magics import deadlines
from dtale_magics.frontend.panel import script as panel_module
from tests.support.node import node, run_tests

TESTS = Path(__file__).parent / "static"
STATIC = Path(panel_module.__file__).parents[1] / "static"


def test_what_decides_in_the_page() -> None:
    run_tests(TESTS)


def test_all_parts_join_into_one_module(tmp_path: Path) -> None:
    assert {path.stem for path in STATIC.glob("*.js")} == set(panel_module.PARTS)
    joined = tmp_path / "panel.mjs"
    joined.write_text(panel_module.source(), encoding="utf-8")
    script = tmp_path / "script.mjs"
    script.write_text(
        "import * as panel from './panel.mjs';"
        "console.log(Object.keys(panel), typeof panel.default.render);"
    )
    done = node(script)
    assert done.stdout.strip() == "[ 'default' ] function", done.stderr


def test_no_part_is_longer_than_a_reader_likes() -> None:
    lines = {path.name: path.read_text().count("\n") for path in STATIC.glob("*.js")}
    assert {name: count for name, count in lines.items() if count > 310} == {}


def test_page_and_kernel_wait_as_long_for_what_they_probe() -> None:
    (milliseconds,) = re.findall(r"PROBE_MS = (\d+);", (STATIC / "probe.js").read_text())
    assert int(milliseconds) == 1000 * deadlines.PROBE
