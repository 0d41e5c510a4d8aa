"""A browser shows every digit; what it copies and what it saves has them as well."""

from __future__ import annotations

import csv
import json
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from werkzeug.serving import WSGIRequestHandler, make_server

from tests.support.browser import open_browser

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page

    from tests.support.shown import Shown

FRAME = {
    "id": [2**53 + 1, 7, -(2**63)],
    "u": np.array([2**64 - 1, 1, 2], dtype="u8"),
    "f": [1e-7, -np.inf, 1.234],
    "g": [1e300, 0.0, np.nan],
    "t": ["nan", None, "x"],
    "s": np.array([123456792, 0.1, np.nan], dtype="f4"),
    "z": pd.to_datetime(["2024-10-27 00:30", "2024-10-27 01:30", "NaT"], utc=True).tz_convert(
        "Europe/Berlin"
    ),
}
WHOLE = "9007199254740993"
CELLS = {
    1: [WHOLE, "7", "-9223372036854775808"],
    2: ["18446744073709551615", "1", "2"],
    3: ["1.00e-7", "-inf", "1.23"],
    4: ["1.00e+300", "0.00", "nan"],
    5: ['"nan"', "nan", "x"],
    7: ["2024-10-27 02:30:00+02:00", "2024-10-27 02:30:00+01:00", "nan"],
}
SAVED = [
    [WHOLE, "18446744073709551615", "1e-07", "1e+300", "nan", "123456792.0", CELLS[7][0]],
    ["7", "1", "-inf", "0.0", "", "0.1", CELLS[7][1]],
    ["-9223372036854775808", "2", "1.234", "", "x", "", ""],
]


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 (Werkzeug's name)
        pass


def test_cells_copies_and_files_have_every_digit(show: Shown, tmp_path: Path) -> None:
    grid = show(pd.DataFrame(FRAME))
    app, assets, token = show._viewer.app(""), show.assets, f"/{show.assets.token}"

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
            check(page)
            assert copied(page, "1|1", "2|2") == f"{WHOLE}\t18446744073709551615\n7\t1"
            file = tmp_path / "x.csv"
            save(page, f"{base}/data-export/{grid.data_id}?type=csv", file)
            standalone = tmp_path / "x.html"
            save(page, f"{base}/data/{grid.data_id}?export=true", standalone)
            page.goto(standalone.as_uri())
            page.wait_for_selector(".cell[cell_idx='5|3']", timeout=60_000)
            check(page)
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()
    assert list(csv.reader(file.read_text().splitlines()))[1:] == SAVED
    for answer in (
        grid.client.post(
            f"/dtale/build-column-copy/{grid.data_id}", json={"columns": json.dumps(list(FRAME))}
        ),
        grid.client.post(
            f"/dtale/build-row-copy/{grid.data_id}",
            json={"start": 1, "end": 3, "columns": json.dumps(list(FRAME))},
        ),
    ):
        text = answer.get_data(as_text=True)
        assert list(csv.reader(text.splitlines(), delimiter="\t")) == SAVED


def check(page: Page) -> None:
    for column, texts in CELLS.items():
        for row, text in enumerate(texts, 1):
            assert page.locator(f".cell[cell_idx='{column}|{row}']").inner_text() == text


def save(page: Page, url: str, file: Path) -> None:
    with page.expect_download() as download:
        page.evaluate(
            "url => { const link = document.createElement('a'); link.href = url;"
            " link.download = 'x'; document.body.append(link); link.click(); }",
            url,
        )
    download.value.save_as(file)


def copied(page: Page, first: str, last: str) -> str:
    """Copy a range of cells as a reader does: with Shift, by the dialog that D-Tale shows then."""
    page.keyboard.down("Shift")
    page.locator(f".cell[cell_idx='{first}']").click()
    page.locator(f".cell[cell_idx='{last}']").hover()
    page.locator(f".cell[cell_idx='{last}']").click()
    page.keyboard.up("Shift")
    dialog = page.locator("#copy-range-to-clipboard")
    dialog.wait_for()
    text = dialog.locator("pre, textarea").first
    found = text.input_value() if text.evaluate("one => 'value' in one") else text.inner_text()
    page.keyboard.press("Escape")
    return found.strip()
