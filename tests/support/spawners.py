"""A hub's part for tests: real KubeSpawners whose API is the stub."""

from __future__ import annotations

import asyncio
import logging
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

from kubernetes_asyncio.config import kube_config
from kubespawner import KubeSpawner
from kubespawner.clients import load_config
from traitlets.config import Config

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from dtale_magics.kubernetes import Exposure
    from tests.support.api_stub import ApiStub

_DIRECTORY = tempfile.TemporaryDirectory(prefix="dtale-magics-")  # goes with this process
_KUBECONFIG = Path(_DIRECTORY.name) / "config"
_KUBECONFIG.write_text(
    "apiVersion: v1\nkind: Config\ncurrent-context: stub\n"
    "clusters: [{name: stub, cluster: {server: 'http://127.0.0.1:9'}}]\n"
    "contexts: [{name: stub, context: {cluster: stub, user: stub}}]\n"
    "users: [{name: stub, user: {}}]\n"
)
# Without a cluster the client wants such a file; the stub's address comes from k8s_api_host.
# Not the environment's KUBECONFIG: a Traefik started by the same test would read that too.
kube_config.KUBE_CONFIG_DEFAULT_LOCATION = str(_KUBECONFIG)


def hub_config(exposure: Exposure | None, api: ApiStub) -> Config:
    """Build ``c`` as jupyterhub_config.py would."""
    config = Config()
    config.KubeSpawner.namespace = "jhub"
    config.KubeSpawner.k8s_api_host = api.url
    config.KubeSpawner.storage_pvc_ensure = False
    config.KubeSpawner.events_enabled = False
    config.KubeSpawner.start_timeout = 20
    if exposure is not None:
        exposure.configure(config)
    return config


def spawner(config: Config, user: str, server: str = "") -> KubeSpawner:
    """Make a spawner; to be called within the running loop."""
    someone = Mock(id=1, url="/user/x/", escaped_name="x", server=None)
    someone.name = user
    hub = Mock(
        public_host="http://hub", api_url="http://hub/api", base_url="/hub/", public_url=None
    )
    orm = Mock(server=None)
    orm.name = server
    log = logging.getLogger("hub")
    return KubeSpawner(
        config=config, user=someone, hub=hub, orm_spawner=orm, log=log, api_token="x",
        oauth_client_id="x", oauth_access_scopes=[], oauth_client_allowed_scopes=[],
    )  # fmt: skip


@asynccontextmanager
async def hub_loop() -> AsyncIterator[None]:
    """Stop what KubeSpawner leaves running in the loop."""
    # The address of the API is one setting of the process, and set once for each address: a stub
    # that got the port of an earlier one would be asked at the address of the one between them.
    load_config.cache_clear()
    try:
        yield
    finally:
        await KubeSpawner._stop_all_reflectors()
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
        await asyncio.sleep(0)


async def stop(running: Any) -> Any:
    """Stop a server as the hub does, and return what the stop hook did."""
    await running.stop()
    return await running.run_post_stop_hook()
