"""Two servers of one user in two pods, with one home directory: neither is taken for the other.

The volume is one directory for both; hostnames, process names and ports are alike, as in two pods
of one StatefulSet's template: what tells them apart is the network namespace alone.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.support import plain_http, pods
from tests.support.kernels import Kernel
from tests.support.pods import Pod

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.timeout(240)

WORDS = ("first", "second")
CACHED = "__import__('dtale_magics').session.current().assets.token"


@pytest.fixture
def kernels(ports: range, tmp_path: Path) -> Iterator[list[Kernel]]:
    """Two kernels that show a frame each, in pods of their own."""
    if (reason := pods.reason_against()) is not None:
        pytest.skip(reason)
    home = tmp_path / "home"
    home.mkdir()
    environ = {"HOME": str(home), "XDG_CACHE_HOME": str(home / ".cache")}
    with ExitStack() as stack:
        started = []
        for word in WORDS:
            directory = tmp_path / word
            directory.mkdir()
            pod = stack.enter_context(Pod(directory))
            kernel = Kernel(ports, pod=pod, environ=environ, notebook=f"{word}.ipynb")
            started.append(stack.enter_context(kernel).launch())
        for word, kernel in zip(WORDS, started, strict=True):
            kernel.wait_until_ready()
            kernel.run(f"%load_ext dtale_magics\n{word} = {{'a': ['of {word}']}}\n%dtale {word}")
        yield started


def test_one_home_and_two_pods(kernels: list[Kernel]) -> None:
    states = [kernel.status() for kernel in kernels]
    (port,) = {state["port"] for state in states}
    for state, word, kernel in zip(states, WORDS, kernels, strict=True):
        assert state["holds_ingress"], "the other one is in another pod"
        listed = kernel.run("%dtale --list").text
        assert f"{word}.ipynb" in listed
        assert not any(f"{other}.ipynb" in listed for other in WORDS if other != word)
        (shown,) = plain_http.grid(state["frames"][0]["url"], pod=kernel.pod)
        assert shown["a"] == f"of {word}"

    def ask(kernel: Kernel, path: str) -> plain_http.Response:
        return plain_http.request(f"http://127.0.0.1:{port}{path}", pod=kernel.pod)

    # A link is one kernel's, wherever the home is.
    for state, other in zip(states, reversed(kernels), strict=True):
        answer = ask(other, f"{urlsplit(state['url']).path}dtale/main/1")
        assert (answer.status, answer.body) == (404, ask(other, "/nothing").body)

    # What the home holds is the user's, and leads to D-Tale's own files and nothing else.
    (token,) = {kernel.value(CACHED) for kernel in kernels}
    for kernel in kernels:
        assert ask(kernel, f"/{token}/dtale/static/css/main.css").status == 200
        assert ask(kernel, f"/{token}/dtale/main/1").status == 404

    # The page's link is the user's as well; it shows the pod that it leads to.
    for kernel in kernels:
        kernel.run("from dtale_magics.page.capability import Capability")
    (page,) = {kernel.value("Capability().made()") for kernel in kernels}
    for word, kernel in zip(WORDS, kernels, strict=True):
        told = ask(kernel, f"/{page}/_pod/state").text
        assert f"{word}.ipynb" in told, told
        assert not any(f"{other}.ipynb" in told for other in WORDS if other != word)

    # An end in one pod is none in the other.
    kernels[0].run("%dtale --new-link")
    assert kernels[1].status()["url"] == states[1]["url"]
    kernels[0].run("%dtale --stop")
    assert plain_http.grid(states[1]["frames"][0]["url"], pod=kernels[1].pod)
