"""A real Jupyter server with notebooks, which serves JupyterLab and Notebook 7 alike."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.support import plain_http, processes
from tests.support.kernels import environment, port_settings
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from typing_extensions import Self

    from tests.support.pods import Pod

_APPLICATIONS = ("LabApp", "JupyterNotebookApp")
TOKEN = "test"
START_SECONDS = 60.0
# JupyterLab would greet with a dialog that blocks clicks: dash ships the source of an extension.
_QUIET = '{"page_config_data": {"buildCheck": False, "buildAvailable": False}}'


class Jupyter:
    """A server on `port` whose kernels look for D-Tale's ports in `ports`.

    In a pod, the caller opens a tunnel to that port.
    """

    def __init__(
        self,
        port: int,
        ports: range,
        environ: Mapping[str, str] | None = None,
        pod: Pod | None = None,
        more: Sequence[str] = (),
    ) -> None:
        self.port = port
        self._pod = pod
        self._more = more
        self.directory = Path(tempfile.mkdtemp(prefix="dtale-magics-jupyter-"))
        self.root = self.directory / "notebooks"
        self.root.mkdir()
        self.log = self.directory / "log"
        self._environ = environment(
            {
                **port_settings(ports),
                "JUPYTER_RUNTIME_DIR": str(self.directory / "runtime"),
                "JUPYTER_DATA_DIR": str(self.directory / "data"),
                **(environ or {}),
            },
            self.directory,
        )
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
        settings = {
            "ip": "127.0.0.1",
            "port": self.port,
            "port_retries": 0,
            "root_dir": self.root,
            "tornado_settings": _QUIET,
        }
        command += [f"--ServerApp.{name}={value}" for name, value in settings.items()]
        # So that a test can run commands that have no key.
        command += self._more
        command += [f"--{app}.expose_app_in_browser=True" for app in _APPLICATIONS]
        with self.log.open("ab") as log:
            command += [f"--IdentityProvider.token={TOKEN}"]
            self._process = subprocess.Popen(
                command if self._pod is None else self._pod.command(command),
                env=self._environ,
                cwd=self.root,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            self._wait_until_up(self._process)
        except BaseException:
            processes.end(self._process)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def stop(self) -> None:
        """End the server and its kernels; once."""
        process, self._process = self._process, None
        if process is None:
            return
        try:
            for kernel in self.api("kernels"):  # they lead process groups of their own
                self.api(f"kernels/{kernel['id']}", "DELETE")
        finally:
            processes.end(process)

    def _wait_until_up(self, process: subprocess.Popen[bytes]) -> None:
        wait_until(
            lambda: process.poll() is not None or self.api("status"),
            START_SECONDS,
            explain=self.log.read_text,
        )
        assert process.poll() is None, self.log.read_text()

    def api(self, path: str, method: str = "GET") -> Any:
        headers = {"Authorization": f"token {TOKEN}"}
        answer = plain_http.request(f"{self.url}/api/{path}", method, headers=headers)
        return answer.json() if answer.body else None

    def kernel(self, name: str) -> dict[str, Any] | None:
        """The kernel of notebook `name`, as the server describes it."""
        for session in self.api("sessions"):
            if session["path"] == name:
                kernel: dict[str, Any] = session["kernel"]
                return kernel
        return None

    def write(self, name: str, cells: Sequence[str]) -> None:
        """Write a notebook with these code cells."""
        write_notebook(self.root / name, cells)

    def read(self, name: str) -> str:
        """Return the notebook's file as it was saved."""
        return (self.root / name).read_text()


def write_notebook(path: Path, cells: Sequence[str]) -> None:
    notebook = {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}
        },
        "cells": [
            {
                "cell_type": "code",
                "id": f"cell-{index}",
                "metadata": {},
                "execution_count": None,
                "outputs": [],
                "source": source,
            }
            for index, source in enumerate(cells)
        ],
    }
    path.write_text(json.dumps(notebook))
