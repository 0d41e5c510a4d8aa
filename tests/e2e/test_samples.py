"""Every sample of README and site does what it says.

A block of Python is a cell: those of a page run in their order, in a kernel that has a frame `df`,
and a block of text after one is what it prints (… is anything). A file of settings has its name as
a title, and above a cell that fails stands its error. Of shell blocks, commands of this package
run; the others are known ones. docs/kubernetes.md has a test of its own.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from itertools import zip_longest
from typing import TYPE_CHECKING, NamedTuple

import pytest
from ruamel.yaml import YAML
from traitlets.config import Config

from dtale_magics.frontend.magics import DtaleMagics
from tests.support import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.kernels import Kernel

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PREPARED = """
%load_ext dtale_magics
import pandas as pd
df = pd.DataFrame({"a": [3, 1, 2], "b": ["x", "y", "z"]})
"""
RUN_ELSEWHERE = {
    "pip install .",
    "pip install anywidget jupyter-server-proxy",
    "pip wheel --no-deps --wheel-dir dist .",
}


_FENCE = r"(?ms)(?:^<!-- before .*?: (.*?) -->\n\n)?^( *)```(\w+)([^\n]*)\n(.*?)^\2```$"


class Block(NamedTuple):
    """A fenced block of a page; `error` is what a cell says in the state in which it is tried."""

    language: str
    info: str
    text: str
    line: int
    error: str


def blocks(page: Path) -> list[Block]:
    found: list[Block] = []
    text = page.read_text(encoding="utf-8")
    for match in re.finditer(_FENCE, text):
        error, indent, language, info, body = match.groups()
        lines = [line.removeprefix(indent) for line in body.splitlines()]
        number = text[: match.start()].count("\n") + 1
        found.append(Block(language, info.strip(), "\n".join(lines), number, error or ""))
    return found


def cells(page: Path) -> Iterator[tuple[Block, Block | None]]:
    """Each cell with what it prints."""
    found = blocks(page)
    for block, after in zip_longest(found, found[1:]):
        if block.language == "python" and "title=" not in block.info:
            yield block, after if after is not None and after.language == "text" else None


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if any(cells(page))],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_the_cells_of_a_page_run(page: Path, shared_kernel: Kernel) -> None:
    kernel = shared_kernel.renew()
    kernel.run(PREPARED)
    for block, printed in cells(page):
        result = kernel.run(block.text, ok=not block.error)
        where = f"{page.name}, line {block.line}"
        assert block.error in result.traceback, where
        if printed is not None:
            pattern = re.escape(printed.text).replace("…", ".*")
            shown = result.stdout or result.text
            assert re.search(pattern, shown), f"{where}: {shown}"


def test_every_block_is_of_a_kind_that_is_tried() -> None:
    kinds = {block.language for page in PAGES for block in blocks(page)}
    assert kinds <= {"python", "text", "sh", "yaml", "dockerfile", "mermaid"}, kinds


@pytest.mark.parametrize(
    ("page", "block"),
    [(page, one) for page in PAGES for one in blocks(page) if "title=" in one.info],
    ids=lambda one: getattr(one, "name", ""),
)
def test_settings_are_such_that_there_are(page: Path, block: Block) -> None:
    config = Config()
    exec(compile(block.text, str(page), "exec"), {"c": config})
    assert set(config) <= {"DtaleMagics", "MagicsManager"}
    for name, value in config.DtaleMagics.items():
        trait = DtaleMagics.class_traits(config=True)[name]
        trait._validate(DtaleMagics.__new__(DtaleMagics), value)
    for module in config.MagicsManager.get("lazy_magics", {}).values():
        assert module == "dtale_magics"


def test_shell_samples_run(tmp_path: Path) -> None:
    targets = re.findall(r"(?m)^([a-z-]+):", (ROOT / "Makefile").read_text())
    for page in PAGES:
        for block in blocks(page):
            if block.language != "sh":
                continue
            for line in block.text.splitlines():
                words = shlex.split(line, comments=True)
                where = f"{page.name}, line {block.line}: {line}"
                match words:
                    case []:
                        continue
                    case ["make", target, *_]:
                        assert target in targets, where
                    case ["python", "-m", "dtale_magics", *_]:
                        done = subprocess.run(
                            [sys.executable, *words[1:]],
                            cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
                        )  # fmt: skip
                        # 1 is an answer: nothing is reached, as nothing runs.
                        assert done.returncode in {0, 1}, f"{where}\n{done.stderr}"
                        assert done.stdout, where
                    case ["python", "-m", *rest]:
                        assert " ".join(rest) in RUN_ELSEWHERE, where
                    case _:
                        pytest.fail(f"not tried: {where}")


def test_the_image_and_the_values_are_what_they_say() -> None:
    page = ROOT / "docs" / "install.md"
    found = {block.language: block.text for block in blocks(page)}
    # What the image runs is what the test of the package does: build the wheel, install it.
    steps = found["dockerfile"].splitlines()
    assert {line.split()[0] for line in steps if line} == {"FROM", "COPY", "RUN"}
    assert "RUN python -m pip wheel --no-cache-dir --no-deps --wheel-dir /wheel /source" in steps
    values = YAML(typ="safe").load(found["yaml"])["singleuser"]
    config = Config()
    exec(values["extraFiles"]["dtale"]["stringData"], {"c": config})
    assert set(config.MagicsManager.lazy_magics) == {"dtale", "dtale_port"}
