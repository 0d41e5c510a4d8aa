"""What the check of a real kernel says."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from tests.support.kernels import StartKernel


def test_the_check_of_a_kernel_on_three_faces(start_kernel: StartKernel) -> None:
    kernel = start_kernel(environ={"DTALE_INGRESS_URL": "http://nothing.invalid"})
    kernel.run("%load_ext dtale_magics\n%dtale {'a': [1]}")

    shown = kernel.run("%dtale_port --check").text
    assert "There is no DNS entry for nothing.invalid." in shown
    assert f"http://127.0.0.1:{kernel.ports[0]}" in shown
    assert "✓ this notebook" in shown
    assert kernel.status()["url"].split("/")[3] not in shown  # the capability

    code = (
        "import subprocess, sys; print(subprocess.run([sys.executable, '-m', 'dtale_magics', "
        "'check', '--json'], capture_output=True, text=True, check=False).stdout)"
    )

    def own() -> dict[str, Any] | None:
        of_all = json.loads(kernel.run(code).stdout)["kernels"]  # other test runs may be at work
        return next((one for one in of_all if one["pid"] == kernel.pid), None)

    told = wait_until(own, 60)  # a kernel that has no time to answer is left out
    assert told["reachable"] is None  # no page has told
    assert told["ways"][0]["way"] == "ingress"
    assert told["ways"][0]["kernel"] == "name-not-found"


def test_with_a_wrong_address_dtale_runs_and_the_check_says_what_is_wrong(
    start_kernel: StartKernel,
) -> None:
    kernel = start_kernel(environ={"DTALE_INGRESS_URL": "https://{usr}.example.org"})
    kernel.run("%load_ext dtale_magics\n%dtale {'a': [1]}")
    assert kernel.status()["frames"]
    assert kernel.status()["url"]
    verdict = "__import__('dtale_magics').session.current().reach.verdict()"
    told = kernel.run(f"v = {verdict}; print(v.meaning, v.advice)").stdout
    assert "DTALE_INGRESS_URL contains {usr}, which stands for nothing. Known are" in told
    failed = kernel.run("%dtale_port --check", ok=False)
    assert "DTALE_INGRESS_URL contains {usr}" in failed.text
