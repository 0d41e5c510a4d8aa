"""A real JupyterHub with its own proxy and spawner; everything listens on loopback."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.support import plain_http, processes
from tests.support.kernels import environment, port_settings
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from typing_extensions import Self

SECONDS = 120
STOP_SECONDS = 30.0
TOKEN = "token-of-the-tests"
USER = "ada"

_CONFIGURATION = """\
c.JupyterHub.bind_url = "http://127.0.0.1:{public}"
c.JupyterHub.hub_bind_url = "http://127.0.0.1:{hub}"
c.JupyterHub.db_url = "sqlite:///{directory}/hub.sqlite"
c.JupyterHub.cookie_secret_file = "{directory}/cookie-secret"
c.JupyterHub.allow_named_servers = True
c.JupyterHub.services = [{{"name": "tests", "api_token": "{token}"}}]
c.JupyterHub.load_roles = [
    {{
        "name": "tests",
        "services": ["tests"],
        "scopes": ["admin:users", "admin:servers", "access:servers"],
    }}
]
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allowed_users = {{"{user}"}}

c.JupyterHub.proxy_class = "traefik_file"
c.TraefikProxy.traefik_api_url = "http://127.0.0.1:{api}"
c.TraefikProxy.static_config_file = "{directory}/traefik.toml"
c.TraefikFileProviderProxy.dynamic_config_file = "{directory}/rules.toml"
c.TraefikProxy.extra_static_config = {{
    "global": {{"checkNewVersion": False, "sendAnonymousUsage": False}}
}}

c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = "{home}"
c.Spawner.environment = {environment!r}
c.Spawner.start_timeout = c.Spawner.http_timeout = {seconds}
c.Spawner.args = [
    "--allow-root",
    "--ServerApp.answer_yes=True",  # it ends at once when it is asked to
    # What the Hub hears of activity is then what our kernels report.
    "--JupyterHubSingleUser.hub_activity_interval=0",
]
"""


class Hub:
    """A JupyterHub whose kernels look for D-Tale's ports in `dtale_ports`.

    Parameters
    ----------
    ports
        Three, for the Hub and its proxy.
    dtale_ports
        The range of the kernels.
    more
        Further lines of its configuration.
    """

    def __init__(self, ports: range, dtale_ports: range, more: str = "") -> None:
        public, hub, api = ports
        self.url = f"http://127.0.0.1:{public}"
        self.directory = Path(tempfile.mkdtemp(prefix="dtale-magics-hub-"))
        self.home = self.directory / "home"
        self.home.mkdir()
        self._log = self.directory / "log"
        self._configuration = self.directory / "jupyterhub_config.py"
        self._environ = environment(
            {"PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])},
            self.directory,
        )
        page = self.directory / "jupyter" / "labconfig" / "page_config.json"
        page.parent.mkdir(parents=True)
        # JupyterLab would greet with a dialog: dash ships the source of an extension.
        page.write_text(json.dumps({"buildAvailable": False, "buildCheck": False}))
        self._configuration.write_text(
            _CONFIGURATION.format(
                public=public,
                hub=hub,
                api=api,
                directory=self.directory,
                home=self.home,
                token=TOKEN,
                user=USER,
                seconds=SECONDS,
                environment={
                    **port_settings(dtale_ports),
                    "IPYTHONDIR": self._environ["IPYTHONDIR"],
                    "JUPYTER_CONFIG_DIR": self._environ["JUPYTER_CONFIG_DIR"],
                    "JUPYTERHUB_ACTIVITY_INTERVAL": "1",
                    # The home is this test's; what is packed there already is packed once.
                    "XDG_CACHE_HOME": os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache")),
                },
            )
            + more
        )
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "jupyterhub", "-f", str(self._configuration)],
                env=self._environ,
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        process = self._process
        wait_until(
            lambda: process.poll() is not None or self._up(), SECONDS, explain=lambda: self.log
        )
        assert process.poll() is None, self.log
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            # Servers lead process groups of their own; the Hub ends them when it is asked politely.
            processes.end(self._process, STOP_SECONDS)
        shutil.rmtree(self.directory, ignore_errors=True)

    @property
    def log(self) -> str:
        return self._log.read_text()

    def spawn(self, server: str) -> None:
        """Begin to start a named server, as the button on the Hub's page does."""
        answer = self._ask(f"/hub/api/users/{USER}/servers/{server}", "POST")
        assert answer.status in {201, 202}, answer.text

    def prefix(self, server: str) -> str:
        """Path of the user's default server (``""``) or of a named one."""
        return f"/user/{USER}/{server}".rstrip("/")

    def kernel(self, server: str, notebook: str) -> dict[str, Any] | None:
        """The kernel of a notebook, as the single-user server describes it."""
        for session in self._ask(f"{self.prefix(server)}/api/sessions").json():
            if session["path"] == notebook:
                kernel: dict[str, Any] = session["kernel"]
                return kernel
        return None

    def last_activity(self, server: str) -> datetime:
        """When the server was in use, as an idle-culler reads it."""
        when = self._ask(f"/hub/api/users/{USER}").json()["servers"][server]["last_activity"]
        return datetime.fromisoformat(when.replace("Z", "+00:00"))

    def _ask(self, path: str, method: str = "GET") -> plain_http.Response:
        return plain_http.request(
            f"{self.url}{path}", method, headers={"Authorization": f"token {TOKEN}"}
        )

    def _up(self) -> bool:
        try:
            return self._ask("/hub/api/").status == 200
        except OSError:
            return False
