from __future__ import annotations

import gzip
import os
from typing import TYPE_CHECKING

import brotli
import pytest
from werkzeug.test import Client

from dtale_magics.serving import user_cache
from dtale_magics.serving.assets import PATH, Assets

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from werkzeug.test import TestResponse


SCRIPT = b"console.log('hello'); " * 1000
FONT = bytes(range(256)) * 10
SECRET = b"s" * 32


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "static"
    for name, content in (("dist/dtale_bundle.js", SCRIPT), ("fonts/istok.woff", FONT)):
        path = root / name
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
    (tmp_path / "outside.js").write_bytes(SCRIPT)
    return root


@pytest.fixture
def assets(folder: Path) -> Assets:
    return Assets(folder, SECRET)


def _get(assets: Assets, name: str, accept: str = "", **headers: str) -> TestResponse:
    return Client(assets).get(PATH + name, headers={"Accept-Encoding": accept, **headers})


def _compress(assets: Assets) -> None:
    thread = assets.compress()
    thread.join(240)  # of lowest priority
    assert not thread.is_alive()


@pytest.mark.parametrize(
    ("accept", "coding", "unpack"),
    [
        ("gzip, deflate, br, zstd", "br", brotli.decompress),
        ("gzip, deflate", "gzip", gzip.decompress),
        ("br;q=0, gzip", "gzip", gzip.decompress),
        ("", None, bytes),
    ],
)
@pytest.mark.parametrize("early", [True, False])
def test_a_script_arrives_whole_in_a_coding_that_the_browser_takes(
    assets: Assets,
    accept: str,
    coding: str | None,
    unpack: Callable[[bytes], bytes],
    *,
    early: bool,
) -> None:
    if not early:
        _compress(assets)
    answer = _get(assets, "dist/dtale_bundle.js", accept)

    assert answer.headers.get("Content-Encoding") == coding
    assert unpack(answer.data) == SCRIPT
    assert answer.headers["Vary"] == "Accept-Encoding"
    assert "immutable" in answer.headers["Cache-Control"]
    assert "private" in answer.headers["Cache-Control"]
    assert answer.mimetype == "text/javascript"


def test_what_is_compressed_already_is_sent_as_it_is(assets: Assets) -> None:
    answer = _get(assets, "fonts/istok.woff", "gzip")
    assert "Content-Encoding" not in answer.headers
    assert answer.data == FONT


def test_a_browser_that_asks_for_changes_is_told_that_there_are_none(assets: Assets) -> None:
    script = "dist/dtale_bundle.js"
    _compress(assets)
    etag = _get(assets, script, "gzip").headers["ETag"]
    assert _get(assets, script, "gzip", **{"If-None-Match": etag}).status_code == 304
    assert _get(assets, script, **{"If-None-Match": etag}).status_code == 200


@pytest.mark.parametrize(
    "name", ["../outside.js", "nothing.js", "dist", "", "%2e%2e/outside.js", "/etc/passwd"]
)
def test_nothing_else_is_served(assets: Assets, name: str) -> None:
    assert _get(assets, name).status_code == 404


def test_files_cannot_be_written(assets: Assets) -> None:
    assert Client(assets).post(PATH + "dist/dtale_bundle.js").status_code == 405


def test_the_path_is_the_same_for_the_same_files_and_user_only(folder: Path) -> None:
    token = Assets(folder, SECRET).token
    assert Assets(folder, SECRET).token == token
    assert Assets(folder, b"t" * 32).token != token
    (folder / "dist/dtale_bundle.js").write_bytes(SCRIPT + b" ")
    assert Assets(folder, SECRET).token != token


def test_a_file_that_changes_under_a_running_kernel_is_served_anew_and_not_kept(
    assets: Assets, folder: Path
) -> None:
    _get(assets, "dist/dtale_bundle.js", "gzip")
    (folder / "dist/dtale_bundle.js").write_bytes(b"new")
    answer = _get(assets, "dist/dtale_bundle.js", "gzip")
    assert answer.data == b"new"
    assert answer.headers["Cache-Control"] == "no-store"
    (folder / "dist/dtale_bundle.js").unlink()
    assert _get(assets, "dist/dtale_bundle.js", "gzip").status_code == 404


def test_a_user_keeps_a_secret(tmp_path: Path) -> None:
    directory = tmp_path / "cache"
    secret = user_cache.secret(directory)
    assert user_cache.secret(directory) == secret
    (file,) = directory.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(os.name != "posix", reason="the modes are those of POSIX")
def test_a_secret_that_others_can_read_is_not_used(tmp_path: Path) -> None:
    secret = user_cache.secret(tmp_path)
    (file,) = tmp_path.iterdir()
    file.chmod(0o644)
    assert user_cache.secret(tmp_path) != secret


def test_a_secret_cannot_be_kept_everywhere(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert user_cache.secret(tmp_path / "file") != user_cache.secret(tmp_path / "file")
