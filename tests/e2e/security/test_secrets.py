"""The capability stays out of what is saved, logged, listed or printed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import psutil
import pytest
from nbclient import NotebookClient

from tests.support import plain_http
from tests.support.kernels import environment, port_settings

if TYPE_CHECKING:
    from tests.support.kernels import Kernel, StartKernel

LOAD = """
%load_ext dtale_magics
import dtale_magics
import pandas as pd
df = pd.DataFrame({"a": [3, 1, 2]})
"""
TELL = "open({path!r}, 'w').write(dtale_magics.status().url)"
SHOWN = [
    "%dtale df",
    "instance = %dtale df\ninstance.data.shape",
    "%dtale",
    "%dtale --list",
    "%dtale_port",
    "%dtale_port --take",
    "dtale_magics.status()",
    "print(dtale_magics.status())",
    "dtale_magics.status().frames",
    "dtale_magics.session.current()",
]
WRONG = [
    "%dtale nothing",
    "%dtale df --port 99999999",
    "%dtale df --port 1",
    "%dtale --drop nothing",
    "%dtale df --sort",
    "%dtale_port 9-1",
    "%dtale_port --release",
    "%dtale_port {stranger} --force",
]
LOG = """
import logging, sys
logging.basicConfig(filename={path!r}, level=logging.DEBUG, force=True)
for name in list(logging.root.manager.loggerDict):
    logging.getLogger(name).setLevel(logging.DEBUG)
logging.captureWarnings(True)
"""


def _slug(url: str) -> str:
    return url.split("/")[3]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_notebook_that_is_run_and_saved_has_no_link_in_it(
    tmp_path: Path, ports: range, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = environment(port_settings(ports), tmp_path)
    for name in set(os.environ) - set(wanted):
        monkeypatch.delenv(name)
    for name, value in wanted.items():
        monkeypatch.setenv(name, value)
    secret = tmp_path / "secret"
    wrong = [cell.format(stranger=ports[-1]) for cell in WRONG if "stranger" not in cell]
    cells = [LOAD, *SHOWN, *wrong, TELL.format(path=str(secret)) + ";"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])

    NotebookClient(notebook, timeout=90, kernel_name="python3", allow_errors=True).execute()

    saved = nbformat.writes(notebook)  # outputs, metadata, and the state of all widgets
    slug = _slug(secret.read_text())
    assert "df: 3 rows" in saved
    assert "model_id" not in saved, "a program that runs notebooks would save a widget's state"
    assert slug not in saved
    assert slug.rpartition("-")[2] not in saved


def test_logs_processes_and_sockets_do_not_have_it(
    start_kernel: StartKernel, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    taker, loser = start_kernel(), start_kernel()
    for kernel in (loser, taker):
        kernel.run(LOAD)
        kernel.run(LOG.format(path=str(log)))
        kernel.run("%dtale df")
    urls = [kernel.status()["url"] for kernel in (taker, loser)]
    secrets = [_slug(url).rpartition("-")[2] for url in urls]

    _provoke(urls[0])
    taker.run("%dtale_port --take")
    _provoke(urls[0])
    said = [taker.run(cell, ok=False).text for cell in _mistakes(loser)]

    said.append(log.read_text())
    said += [kernel.log.read_text() for kernel in (taker, loser)]
    said += [" ".join(one.info["cmdline"] or []) for one in psutil.process_iter(["cmdline"])]
    said += [Path("/proc/net/unix").read_text()] if Path("/proc/net/unix").exists() else []
    assert "DEBUG" in said[len(_mistakes(loser))], "the log has something in it"
    for secret in secrets:
        for text in said:
            assert secret not in text


def _provoke(url: str) -> None:
    """Ask what goes well, what goes wrong, and what nobody asks."""
    for path in (
        "dtale/main/1",
        "dtale/data/1",  # without the rows it asks for
        "dtale/data/99",
        "dtale/describe/1?col=nothing",
        "dtale/nothing",
        "_magics/state",
        "dtale/charts/nothing",
    ):
        plain_http.request(url + path)
        plain_http.request(url + path, "POST", body=b"\0nonsense")
    for headers in ({"Content-Length": "x"}, {"Host": "\t"}, {"X-Forwarded-Prefix": "//"}):
        plain_http.request(url, headers=headers)


def _mistakes(holder: Kernel) -> list[str]:
    return [cell.format(stranger=holder.ports[0]) for cell in WRONG]
