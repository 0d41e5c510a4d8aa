"""The panel where there is no browser behind it."""

from __future__ import annotations

import re
import subprocess
import sys
import time
import uuid
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from nbconvert import HTMLExporter, LatexExporter, MarkdownExporter

from tests.support import plain_http
from tests.support.kernels import environment, port_settings

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.kernels import Kernel, StartKernel

CELLS = [
    (
        "%load_ext dtale_magics\nimport pandas as pd\n"
        "df = pd.DataFrame({'city': ['<b>Oslo', 'Rome', 'Kyiv'], 'n': [0.1, None, 2.0]})\n"
        "class Thing: pass\n"
        "things = pd.Series([Thing()] * 9, name='thing', index=pd.Index(range(9), name='key'))"
    ),
    "%dtale df --hide-columns n",
    "%dtale things",
    "%dtale",
    (
        "from dtale_magics import session; from dtale_magics.frontend.panel import widget\n"
        "widget.of(session.current())"
    ),
    "%config DtaleMagics.preview = 0\n%dtale df --name bare",
    "wide = pd.DataFrame({f'c{n}': [n] for n in range(30)})",
    "%config DtaleMagics.preview = 3\n%dtale wide",
]
LINK = re.compile(r"http://127\.0\.0\.1:\d+/[\w-]+/dtale/main/\d+")
NO_FORMATTER = "ignore::DeprecationWarning"


PROGRAMS = ("nbclient", "papermill")
EXPORTERS = (HTMLExporter, MarkdownExporter, LatexExporter)


def execute(program: str, path: Path, environ: dict[str, str]) -> nbformat.NotebookNode:
    """Have a program run a notebook of `CELLS`."""
    cells = [
        nbformat.v4.new_code_cell(cell, id=f"cell-{number}") for number, cell in enumerate(CELLS)
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
    source, done = path / "source.ipynb", path / "done.ipynb"
    nbformat.write(notebook, source)
    command = {
        "nbclient": ["nbconvert", "--execute", "--to=notebook", f"--output={done}", str(source)],
        "papermill": ["papermill", "--no-progress-bar", str(source), str(done)],
    }[program]
    run = [sys.executable, "-m", *command]
    subprocess.run(run, env=environ, cwd=path, check=True, capture_output=True, timeout=200)
    saved: nbformat.NotebookNode = nbformat.read(done, as_version=4)
    return saved


def without_times(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Leave out what the programs themselves add: when a cell ran, and for how long."""
    copy: nbformat.NotebookNode = nbformat.reads(nbformat.writes(notebook), as_version=4)
    for where in (copy, *copy.cells):
        where.metadata.pop("execution", None)
        where.metadata.pop("papermill", None)
    return copy


@pytest.mark.filterwarnings(NO_FORMATTER)
@pytest.mark.parametrize("program", PROGRAMS)
def test_what_is_saved_is_the_frame_alike_in_every_run(
    tmp_path: Path, ports: range, start_kernel: StartKernel, program: str
) -> None:
    other = start_kernel(environ={"JPY_SESSION_NAME": "secret.ipynb"})
    other.run(CELLS[0])
    other.run("%dtale things")
    environ = environment({**port_settings(ports), "JPY_SESSION_NAME": "<i>eda.ipynb"}, tmp_path)
    first, second = (without_times(execute(program, tmp_path, environ)) for _ in range(2))
    assert nbformat.writes(first) == nbformat.writes(second)
    # Neither a widget, nor the link, with which anybody could come in, nor ports, names and times.
    saved = nbformat.writes(first).replace("\\n", " ")
    outputs = str([cell.outputs for cell in first.cells])
    assert "widget-view" not in outputs
    assert "widgets" not in first.metadata
    assert re.search(r"[a-z]+-[0-9a-f]{32}", saved) is None
    assert not re.search(rf"\b(?:port|ingress|eda|secret|{ports[0]})\b", outputs)

    pages = []
    for exporter in EXPORTERS:
        page, again = (exporter().from_notebook_node(one)[0] for one in (first, second))
        assert page == again
        pages.append(page)
    for page in pages:
        assert re.search(r"df: 3 rows \S+ 2 columns", page), page
        assert re.search(r"bare: 3 rows", page)
        assert "Rome" in page
        assert "Thing object" in page
        assert "object at 0x" not in page
        assert "c19" in page
        assert "c20" not in page
    shown = first.cells[1].outputs[-1]["data"]
    lines = [line.strip() for line in shown["text/plain"].splitlines()[1:]]
    assert lines == ["city", "str", "<b>Oslo", "Rome", "Kyiv"]
    assert "<td>&lt;b&gt;Oslo</td>" in shown["text/html"]
    assert "0.1" not in shown["text/html"]  # its column is hidden in the grid
    things = first.cells[2].outputs[-1]["data"]["text/plain"].splitlines()
    assert things[0] == "things: 9 rows × 1 column"
    assert things[1].split() == ["key", "thing"]
    assert len(things) == 3 + 5
    bare = first.cells[5].outputs[-1]["data"]
    assert bare["text/plain"] == "bare: 3 rows × 2 columns"
    assert "table" not in bare["text/html"]


@pytest.mark.parametrize("client", ["jupyter console", "pages without cells"])
def test_a_console_gets_the_link_and_nobody_else(
    start_kernel: StartKernel, monkeypatch: pytest.MonkeyPatch, client: str
) -> None:
    kernel = start_kernel()
    kernel.takes_input = True
    if client != "jupyter console":
        # As Notebook 6 has it.
        ids = property(lambda _: uuid.uuid4().hex)
        monkeypatch.setattr(type(kernel.client.session), "msg_id", ids)
    kernel.run(CELLS[0])
    for cell in ("%dtale df", "inst = %dtale df", "inst", "%dtale"):
        shown = kernel.run(cell)
        said = shown.text + str(shown.displays) + str(shown.value)
        assert "df: 3 rows × 2 columns" in said or cell == "inst = %dtale df"
        found = LINK.findall(said)
        assert bool(found) is (client == "jupyter console"), said
        assert "object at" not in said


def test_a_page_without_widgets_gets_the_reason_and_the_link(start_kernel: StartKernel) -> None:
    kernel = start_kernel()
    kernel.takes_input = True
    kernel.run(CELLS[0], cell="a")
    shown = kernel.run("%dtale df", cell="b")
    assert not LINK.search(str(shown.displays))

    # No page says that it shows the panel.
    said = _next_update(kernel)
    assert "anywidget" in said["text/html"]
    link = LINK.search(said["text/html"])
    assert link
    assert LINK.search(said["text/plain"])
    assert plain_http.request(link[0]).status == 200
    assert "Rome" in said["text/html"]

    # A slow one does after all: the link goes.
    model = kernel.value(
        "__import__('dtale_magics.frontend.panel.widget', fromlist='_')._Current.hub.model_id"
    )
    content = {"method": "custom", "content": {"type": "here", "view": "x"}}
    message = kernel.client.session.msg("comm_msg", {"comm_id": model, "data": content})
    kernel.client.shell_channel.send(message)
    said = _next_update(kernel)
    assert not LINK.search(str(said))
    assert "Rome" in said["text/html"]


def _next_update(kernel: Kernel) -> dict[str, Any]:
    deadline = time.monotonic() + 60
    while True:
        message = kernel._next_message(deadline)
        if message["msg_type"] == "update_display_data" and "Rome" in str(message["content"]):
            data: dict[str, Any] = message["content"]["data"]
            return data
