"""The first things that a newcomer runs: the notebook of ``make demo``, and a terminal."""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from nbclient import NotebookClient

from tests.support import ROOT, plain_http
from tests.support.kernels import environment, port_settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOTEBOOK = ROOT / "notebooks" / "quickstart.ipynb"
STATUS = "import json, dtale_magics; print(json.dumps(dtale_magics.status().as_dict()))"

_ROWS = 1704


def test_the_quickstart_notebook_is_saved_without_outputs() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


def test_the_quickstart_notebook_runs_and_shows_its_data(ports: range, tmp_path: Path) -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    client = NotebookClient(
        notebook, timeout=90, resources={"metadata": {"path": str(tmp_path)}}, kernel_name="python3"
    )
    with client.setup_kernel(env=environment(port_settings(ports), tmp_path)):
        for index, cell in enumerate(notebook.cells):
            client.execute_cell(cell, index)
        extra = nbformat.v4.new_code_cell(STATUS)
        notebook.cells.append(extra)
        client.execute_cell(extra, len(notebook.cells) - 1)
        status = json.loads(extra.outputs[0]["text"])
        assert status["port"] == ports[0]
        # Nothing is dropped: grids that a browser still loads after "Run all" would stay empty.
        countries, latest, continents = status["frames"]
        assert (countries["name"], countries["rows"]) == ("countries", _ROWS)
        assert latest["name"] == "latest"
        assert {row["year"] for row in plain_http.grid(latest["url"])} == {2007}
        assert continents["name"] == "continents"  # of polars, and watched
        assert plain_http.grid(continents["url"])[0]["millions"] == pytest.approx(237.6)
        first = plain_http.grid(countries["url"])[0]
        assert first["country"] == "Afghanistan"
        assert first["gdp"] == pytest.approx(first["gdpPercap"] * first["pop"], rel=1e-3)
        # What stays in the saved notebook is readable, and does not contain the capability.
        notebook.cells.remove(extra)
        # The latter is sorted by life expectancy.
        for start, first_row in (("%dtale countries", "Afghanistan"), ("%dtale latest", "Japan")):
            texts = [output["data"].get("text/html", "") for output in _outputs(notebook, start)]
            assert any(f"<td>{first_row}</td>" in text for text in texts), start
            assert not any(str(ports[0]) in text for text in texts), start
        slug = status["url"].rstrip("/").rpartition("/")[2]
        assert slug not in nbformat.writes(notebook)


def _outputs(notebook: Any, start: str) -> Iterator[Any]:
    """Displayed outputs of the cells whose last line starts with `start`."""
    for cell in notebook.cells:
        if cell.cell_type == "code" and cell.source.splitlines()[-1].startswith(start):
            yield from (one for one in cell.outputs if "data" in one)


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
@pytest.mark.filterwarnings("ignore:.*forkpty:DeprecationWarning")  # Python 3.12, by pexpect
def test_the_magic_in_a_terminal_prints_a_link_that_shows_the_data(
    ports: range, tmp_path: Path
) -> None:
    import pexpect

    terminal = pexpect.spawn(
        sys.executable,
        ["-m", "IPython", "--no-banner", "--simple-prompt", "--colors=NoColor"],
        env=environment({**port_settings(ports), "TERM": "dumb"}, tmp_path),
        cwd=str(tmp_path),
        dimensions=(40, 250),
        encoding="utf-8",
        timeout=90,
    )
    try:
        for number, line in enumerate(
            (
                "%load_ext dtale_magics",
                "import pandas as pd; df = pd.DataFrame({'marker': ['terminal'] * 3})",
                "%dtale df",
                "%dtale nothing",
            ),
            start=1,
        ):
            terminal.expect_exact(f"In [{number}]: ")
            terminal.sendline(line)
            if line == "%dtale df":
                terminal.expect(rf"http://127\.0\.0\.1:{ports[0]}/\S+/dtale/main/\d+")
                rows = plain_http.grid(terminal.match.group())
                assert [row["marker"] for row in rows] == ["terminal"] * 3
        terminal.expect_exact("In [5]: ")
        assert "nothing" in terminal.before
        assert "Traceback" not in terminal.before
        assert not re.search(r"<\w+[^>]*>", terminal.before), "HTML in a terminal"
        terminal.sendline("exit")
        terminal.expect(pexpect.EOF)
    finally:
        terminal.close(force=True)
    assert terminal.exitstatus == 0
