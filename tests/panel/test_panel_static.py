"""The panel where there is no browser behind it."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import nbformat
import pytest
from nbclient import NotebookClient
from nbconvert import HTMLExporter, MarkdownExporter
from support.kernels import environment, port_settings

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import StartKernel

CELLS = [
    "%load_ext dtale_magics\nimport pandas as pd\ndf = pd.DataFrame({'a': [3, 1, 2]})",
    "%dtale df",
    "%dtale",
    (
        "from dtale_magics import session; from dtale_magics.frontend import panel\n"
        "panel.of(session.current())"
    ),
]


@pytest.fixture
def executed(
    tmp_path: Path, ports: range, monkeypatch: pytest.MonkeyPatch
) -> nbformat.NotebookNode:
    """A notebook that nbclient ran, as ``jupyter nbconvert --execute`` does."""
    wanted = environment({**port_settings(ports), "JPY_SESSION_NAME": "<i>eda.ipynb"}, tmp_path)
    for name in set(os.environ) - set(wanted):
        monkeypatch.delenv(name)
    for name, value in wanted.items():
        monkeypatch.setenv(name, value)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    NotebookClient(notebook, timeout=90, kernel_name="python3").execute()
    return notebook


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_exports_say_what_was_shown(executed: nbformat.NotebookNode) -> None:
    for exporter in (HTMLExporter(), MarkdownExporter()):
        page, _ = exporter.from_notebook_node(executed)
        assert len(re.findall(r"df: 3 rows × 1 column\b", page)) >= 2, page
        assert "Ingress port" in page
        assert "object at 0x" not in page
        assert "<i>eda" not in re.sub(r"(?s)<script.*?</script>", "", page)
    # The outputs have no link in them, with which anybody could come in.
    outputs = str([cell.outputs for cell in executed.cells])
    assert re.search(r"eda-[0-9a-f]{32}", outputs) is None


def test_a_console_gets_text(start_kernel: StartKernel) -> None:
    kernel = start_kernel()
    kernel.run(CELLS[0])
    for cell in CELLS[1:]:
        shown = kernel.run(cell)
        bundles = [*shown.displays, *([shown.value] if shown.value else [])]
        words = "\n".join(bundle["text/plain"] for bundle in bundles)
        assert "Ingress port" in words
        assert "object at" not in words
