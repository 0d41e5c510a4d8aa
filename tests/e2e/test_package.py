"""What users install: the sdist and the wheel, in an environment of their own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from email import message_from_bytes
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import pytest

from dtale_magics.version import VERSION
from tests.support import ROOT
from tests.support.kernels import environment, port_settings

if TYPE_CHECKING:
    from email.message import Message

NAME = f"dtale_magics-{VERSION}"


def run(
    *command: str | Path,
    seconds: float = 120,
    cwd: Path | None = None,
    env: dict[str, str] | None = None,
) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=seconds, check=False, cwd=cwd, env=env
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def build(folder: Path, **environ: str) -> Path:
    """Build the sdist, and from it the wheel, as the release does."""
    # Not isolated: what builds is in the environment of the tests, and nothing is downloaded.
    command = (sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT)
    run(*command, env={**without_repository(), **environ})
    return folder


def without_repository() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("GITHUB_")}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("built"))


def metadata(folder: Path) -> Message:
    with zipfile.ZipFile(folder / f"{NAME}-py3-none-any.whl") as wheel:
        return message_from_bytes(wheel.read(f"{NAME}.dist-info/METADATA"))


def test_the_wheel_has_all_that_is_needed_and_nothing_else(built: Path) -> None:
    with zipfile.ZipFile(built / f"{NAME}-py3-none-any.whl") as wheel:
        names = wheel.namelist()
    ours = {str(file.relative_to(ROOT)) for file in (ROOT / "dtale_magics").rglob("*.*")
            if "__pycache__" not in file.parts and file.is_file()}  # fmt: skip
    assert {name for name in names if not name.startswith(f"{NAME}.dist-info/")} == ours
    assert f"{NAME}.dist-info/licenses/LICENSE" in names
    with tarfile.open(built / f"{NAME}.tar.gz") as source:
        files = {name.partition("/")[2] for name in source.getnames()}
    assert {"README.md", "CHANGELOG.md", "LICENSE", "Makefile", "docs/kubernetes.md"} <= files
    assert "tests/e2e/test_package.py" in files


def test_an_index_takes_it(built: Path) -> None:
    run(sys.executable, "-m", "twine", "check", "--strict", *sorted(built.iterdir()))


def test_the_readme_reads_well_where_the_repository_is_not(built: Path, tmp_path: Path) -> None:
    unknown = metadata(built)
    links = re.findall(r"\]\(([^)]+)\)", str(unknown.get_payload()))
    assert links
    assert all(link.startswith(("https://", "#")) for link in links)
    assert unknown.get_all("Project-URL") == ["D-Tale, https://github.com/man-group/dtale"]
    # Where the release is made, links lead to the very files that were released.
    known = metadata(build(tmp_path, GITHUB_REPOSITORY="somebody/dtale_magics"))
    repository = "https://github.com/somebody/dtale_magics"
    text = str(known.get_payload())
    assert f"]({repository}/blob/v{VERSION}/docs/kubernetes.md)" in text
    assert f"]({repository}/raw/v{VERSION}/docs/pictures/" in text
    assert f"Issues, {repository}/issues" in known.get_all("Project-URL", [])


def test_the_quickstart_runs_from_the_wheel(built: Path, ports: range, tmp_path: Path) -> None:
    """A fresh environment has the wheel, and the other packages of the tests' environment."""
    venv.create(tmp_path / "fresh", with_pip=False, symlinks=True)
    python = tmp_path / "fresh" / "bin" / "python"
    where = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    # A path file is not read again within a folder that one names: so the source, which the tests'
    # environment has as an editable install, is not among them.
    (Path(where) / "tests.pth").write_text(sysconfig.get_path("purelib") + "\n")
    wheel = built / f"{NAME}-py3-none-any.whl"
    install = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--offline", "--no-deps"]
    run(*install, "--python", python, wheel)

    notebook = nbformat.read(ROOT / "notebooks" / "quickstart.ipynb", as_version=4)
    told = "print(__import__('json').dumps([dtale_magics.__file__, len(status.frames)]))"
    notebook.cells.append(nbformat.v4.new_code_cell(told))
    nbformat.write(notebook, tmp_path / "quickstart.ipynb")
    nbconvert = (python, "-m", "nbconvert", "--execute", "--to", "notebook")
    own = environment(port_settings(ports), tmp_path)
    execute = (*nbconvert, "--output", "done.ipynb", "quickstart.ipynb")
    run(*execute, seconds=240, cwd=tmp_path, env=own)

    done = nbformat.read(tmp_path / "done.ipynb", as_version=4)
    file, frames = json.loads(done.cells[-1].outputs[0]["text"])
    assert Path(file).is_relative_to(where)
    assert frames == 3
    assert "Afghanistan" in nbformat.writes(done)
    listed = run(python, "-m", "dtale_magics", "--version", cwd=tmp_path, env=own)
    assert listed.strip() == f"dtale_magics {VERSION}"
