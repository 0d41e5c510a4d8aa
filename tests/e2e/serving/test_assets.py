"""D-Tale's static files, as notebooks of one user name them."""

from __future__ import annotations

import gzip
import re
from typing import TYPE_CHECKING

from tests.support import plain_http

if TYPE_CHECKING:
    from tests.support.kernels import StartKernel
    from tests.support.ports import PortClaims


def test_notebooks_name_the_same_files(start_kernel: StartKernel, port_claims: PortClaims) -> None:
    found = []
    for _ in range(2):
        kernel = start_kernel(port_claims.take())
        kernel.run("%load_ext dtale_magics\nimport pandas as pd\n%dtale pd.DataFrame({'a': [1]})")
        url = kernel.status()["frames"][0]["url"]
        page = plain_http.request(url)
        base = url[: url.index("/", len("http://"))]
        (script,) = re.findall(r'src="([^"]*dtale_bundle\.js)"', page.text)
        answer = plain_http.request(base + script, headers={"Accept-Encoding": "gzip"})
        assert len(gzip.decompress(answer.body)) > 1_000_000
        assert "immutable" in answer.headers["Cache-Control"]

        of_kernel = url.partition("/dtale/main/")[0] + script[script.index("/dtale/static/") :]
        moved = plain_http.request(of_kernel)
        assert (moved.status, moved.headers["Location"]) == (308, script)
        missing = plain_http.request(of_kernel.replace("bundle.js", "nothing.js"))
        assert missing.status == 404
        # The path of the files leads to the files alone.
        token = script.partition("/dtale/static/")[0]
        assert plain_http.request(f"{base}{token}/dtale/main/1").status == 404
        found.append(script)

    assert found[0] == found[1]
