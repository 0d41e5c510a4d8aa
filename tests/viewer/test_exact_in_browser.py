"""A browser shows every digit, and what it saves has them as well."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from support.browser import open_browser
from werkzeug.serving import WSGIRequestHandler, make_server

if TYPE_CHECKING:
    from pathlib import Path

    from shown import Shown

FRAME = {
    "id": [2**53 + 1, 7, -(2**63)],
    "u": np.array([2**64 - 1, 1, 2], dtype="u8"),
    "f": [1e-7, -np.inf, 1.234],
    "g": [1e300, 0.0, np.nan],
    "t": ["nan", None, "x"],
}
CELLS = {
    1: ["9007199254740993", "7", "-9223372036854775808"],
    2: ["18446744073709551615", "1", "2"],
    3: ["1.00e-7", "-inf", "1.23"],
    4: ["1.00e+300", "0.00", "nan"],
    5: ['"nan"', "nan", "x"],
}


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 (Werkzeug's name)
        pass


def test_cells_and_a_csv_file_have_every_digit(show: Shown, tmp_path: Path) -> None:
    grid = show(pd.DataFrame(FRAME))
    viewer = show._viewer
    app, assets, token = viewer.app(""), viewer._assets, f"/{viewer._assets.token}"

    def route(environ: Any, start_response: Any) -> Any:
        path = environ["PATH_INFO"]
        if not path.startswith(token):
            return app(environ, start_response)
        return assets({**environ, "PATH_INFO": path.removeprefix(token)}, start_response)

    server = make_server("127.0.0.1", 0, route, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        base = f"http://127.0.0.1:{server.server_port}/dtale"
        with open_browser() as browser:
            page = browser.new_page()
            page.goto(f"{base}/main/{grid.data_id}")
            page.wait_for_selector(".cell[cell_idx='5|3']", timeout=60_000)
            for column, texts in CELLS.items():
                for row, text in enumerate(texts, 1):
                    cell = page.locator(f".cell[cell_idx='{column}|{row}']")
                    assert cell.inner_text() == text
            with page.expect_download() as download:
                page.evaluate(
                    "url => { const link = document.createElement('a'); link.href = url;"
                    " link.download = 'x.csv'; document.body.append(link); link.click(); }",
                    f"{base}/data-export/{grid.data_id}?type=csv",
                )
            file = tmp_path / "x.csv"
            download.value.save_as(file)
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()
    lines = file.read_text().splitlines()
    assert lines[1].startswith("9007199254740993,18446744073709551615,1e-07,1e+300,nan")
