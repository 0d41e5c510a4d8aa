"""Real kernels, driven as a notebook drives them."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.connect import write_connection_file

from tests.support import processes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from typing_extensions import Self

    from tests.support.pods import Pod

START_SECONDS = 90.0
RUN_SECONDS = 60.0

_RENEW = """
import sys
get_ipython().extension_manager.unload_extension("dtale_magics")
get_ipython().config.pop("DtaleMagics", None)
if "dtale" in sys.modules:
    sys.modules["dtale.global_state"].cleanup()
"""

_FOREIGN = re.compile(r"(?i)^(DTALE_|JPY_|JUPYTERHUB_|.*_PROXY$)")


class CellError(AssertionError):
    """A cell that was expected to succeed raised."""


@dataclass
class Result:
    """What a cell showed."""

    stdout: str = ""
    stderr: str = ""
    displays: list[dict[str, Any]] = field(default_factory=list)
    value: dict[str, Any] | None = None
    error: str | None = None
    traceback: str = ""

    @property
    def text(self) -> str:
        """Everything that a user could read, however it was shown."""
        shown = [self.stdout, self.stderr, self.traceback]
        for bundle in [*self.displays, self.value or {}]:
            shown += [str(part) for mime, part in bundle.items() if mime.startswith("text/")]
        return "\n".join(shown)


def environment(extra: Mapping[str, str], directory: Path) -> dict[str, str]:
    """Environment for a user's process: no settings of this machine, a profile of its own."""
    kept = {name: value for name, value in os.environ.items() if not _FOREIGN.match(name)}
    return {
        **kept,
        "IPYTHONDIR": str(directory / "ipython"),
        "JUPYTER_CONFIG_DIR": str(directory / "jupyter"),
        "JUPYTER_RUNTIME_DIR": str(directory / "runtime"),  # no Jupyter server of this machine
        "PYTHONWARNINGS": "default",
        **extra,
    }


def port_settings(ports: range) -> dict[str, str]:
    """Environment that gives a kernel the range `ports`."""
    return {"DTALE_MIN_PORT": str(ports[0]), "DTALE_MAX_PORT": str(ports[-1])}


class Kernel:
    """One kernel with its client; `close` ends it whatever state it is in.

    It talks over Unix sockets, so that it can be reached inside a pod and takes no TCP port.
    """

    def __init__(
        self,
        ports: range,
        *,
        pod: Pod | None = None,
        notebook: str = "notebook.ipynb",
        environ: Mapping[str, str] | None = None,
    ) -> None:
        # Not pytest's tmp_path: a socket's path may have 107 characters at most.
        self.directory = Path(tempfile.mkdtemp(prefix="dtale-magics-kernel-"))
        self.ports = ports
        self.pod = pod
        self.log = self.directory / "log"
        self._environ = environment(
            {
                **port_settings(ports),
                "JPY_SESSION_NAME": str(self.directory / notebook),
                "JPY_PARENT_PID": str(os.getpid()),  # it ends when the tests are killed
                **(environ or {}),
            },
            self.directory,
        )
        self._connection_file = self.directory / "kernel-test.json"
        write_connection_file(
            str(self._connection_file), transport="ipc", ip=str(self.directory / "zmq"), key=b"test"
        )
        self.takes_input = False
        """Whether cells come from somebody who can be asked, as in a console or a page."""
        self._process: subprocess.Popen[bytes] | None = None
        self._client: BlockingKernelClient | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def client(self) -> BlockingKernelClient:
        assert self._client is not None, "the kernel was not started"
        return self._client

    def launch(self) -> Self:
        """Start the process; `wait_until_ready` before the first cell."""
        command = [sys.executable, "-m", "ipykernel_launcher", "-f", str(self._connection_file)]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.pod.command(command) if self.pod else command,
                env=self._environ,
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return self

    def wait_until_ready(self, timeout: float = START_SECONDS) -> Self:
        client = BlockingKernelClient()
        client.load_connection_file(str(self._connection_file))
        client.start_channels()
        self._client = client
        deadline = time.monotonic() + timeout
        while True:
            self._check_alive()
            try:
                client.wait_for_ready(timeout=5)
            except RuntimeError as error:
                if time.monotonic() > deadline:
                    raise AssertionError(self.log.read_text()) from error
            else:
                return self

    def start(self) -> Self:
        return self.launch().wait_until_ready()

    def run(
        self, code: str, timeout: float = RUN_SECONDS, *, ok: bool = True, cell: str = ""
    ) -> Result:
        """Execute a cell and return what it showed.

        Parameters
        ----------
        cell
            Its id, as JupyterLab and others tell it to the kernel; consoles do not.

        Raises
        ------
        CellError
            When it raised and `ok` was expected.
        """
        return self.finish(self.send(code, cell=cell), timeout, ok=ok)

    def send(self, code: str, *, cell: str = "") -> str:
        """Start a cell without waiting for its end; `finish` takes the id that is returned."""
        content = {
            "code": code,
            "silent": False,
            "store_history": True,
            "user_expressions": {},
            "allow_stdin": self.takes_input
            or bool(cell),  # a page tells the cell, and can be asked
            "stop_on_error": True,
        }
        metadata = {"cellId": cell} if cell else {}
        message = self.client.session.msg("execute_request", content, metadata=metadata)
        self.client.shell_channel.send(message)
        return str(message["header"]["msg_id"])

    def finish(self, message_id: str, timeout: float = RUN_SECONDS, *, ok: bool = True) -> Result:
        """Wait for the end of a cell; cells must be finished in the order they were sent."""
        result = Result()
        deadline = time.monotonic() + timeout
        while True:
            message = self._next_message(deadline)
            if message["parent_header"].get("msg_id") != message_id:
                continue
            content = message["content"]
            match message["msg_type"]:
                case "status" if content["execution_state"] == "idle":
                    break
                case "stream" if content["name"] == "stdout":
                    result.stdout += content["text"]
                case "stream":
                    result.stderr += content["text"]
                case "display_data" | "update_display_data":
                    result.displays.append(content["data"])
                case "execute_result":
                    result.value = content["data"]
                case "error":
                    result.error = content["ename"]
                    result.traceback = re.sub(r"\x1b\[[\d;]*m", "", "\n".join(content["traceback"]))
        reply = self._reply(message_id, deadline)
        failed = reply["content"]["status"] != "ok"
        assert failed == (result.error is not None), reply["content"]
        if ok and failed:
            raise CellError(result.text)
        return result

    def value(self, expression: str, timeout: float = RUN_SECONDS) -> Any:
        """Evaluate `expression` in the user's namespace, by way of JSON."""
        code = (
            "__import__('IPython').display.display("
            f'{{"text/plain": __import__("json").dumps({expression})}}, raw=True)'
        )
        return json.loads(self.run(code, timeout).displays[-1]["text/plain"])

    def status(self) -> dict[str, Any]:
        """What ``dtale_magics.status()`` says."""
        status: dict[str, Any] = self.value('__import__("dtale_magics").status().as_dict()')
        return status

    def renew(self) -> Self:
        """Make it as if it were new, but for D-Tale, which takes seconds to import."""
        self.run(_RENEW)
        self.run("%reset -f")
        return self

    @property
    def died(self) -> bool:
        return self._process is None or self._process.poll() is not None

    def kill(self) -> None:
        """End the process as the out-of-memory killer does."""
        assert self._process is not None
        processes.kill(self._process)

    def restart(self) -> Self:
        """Start again after `kill`, under the same kernel id, as a Jupyter server does."""
        assert self._process is not None
        assert self._process.poll() is not None
        self._stop_client()
        return self.start()

    def close(self) -> None:
        self._stop_client()
        if self._process is not None:
            processes.end(self._process)
        shutil.rmtree(self.directory, ignore_errors=True)

    def _stop_client(self) -> None:
        if self._client is not None:
            self._client.stop_channels()
            self._client.context.destroy(linger=0)
            self._client = None

    def _reply(self, message_id: str, deadline: float) -> dict[str, Any]:
        """Return the reply to a request; a slow kernel also answers what start-up asked twice."""
        while True:
            seconds = max(1.0, deadline - time.monotonic())
            reply: dict[str, Any] = self.client.get_shell_msg(timeout=seconds)
            if reply["parent_header"].get("msg_id") == message_id:
                return reply

    def _next_message(self, deadline: float) -> dict[str, Any]:
        while True:
            self._check_alive()
            seconds = deadline - time.monotonic()
            assert seconds > 0, f"the cell did not end in time\n{self.log.read_text()}"
            with contextlib.suppress(queue.Empty):
                message: dict[str, Any] = self.client.get_iopub_msg(timeout=min(seconds, 1.0))
                return message

    def _check_alive(self) -> None:
        assert self._process is not None
        code = self._process.poll()
        assert code is None, f"the kernel ended with code {code}\n{self.log.read_text()}"


class StartKernel(Protocol):
    def __call__(self, ports: range | None = None, /, **options: Any) -> Kernel: ...
