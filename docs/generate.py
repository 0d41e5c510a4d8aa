"""What the site shows beside the pages of this folder; called by MkDocs (``hooks`` in mkdocs.yml).

Lists of options, settings and commands come from the code, so that they cannot differ from it. The
tutorial is the quick-start notebook, run while the site is built. Documents at the root of the
repository are pages as they are; links between all of these are rewritten.
"""

from __future__ import annotations

import html
import os
import posixpath
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from dtale_magics import __main__ as command_line  # noqa: E402 (what is beside the site)
from dtale_magics.frontend.magics import DtaleMagics  # noqa: E402
from dtale_magics.frontend.traits import Configured  # noqa: E402
from dtale_magics.frontend.typed.options import DTALE, DTALE_PORT  # noqa: E402
from hatch_build import LINK, repository_of  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

    from dtale_magics.frontend.typed.options import Magic

PAGES = {
    "SECURITY.md": "security.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "CODE_OF_CONDUCT.md": "code-of-conduct.md",
    "notebooks/quickstart.ipynb": "tutorial.md",
}
"""Files of the repository that are pages of the site."""

SOURCES = {page: file for file, page in PAGES.items()}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what is not in this folder."""
    from mkdocs.structure.files import File

    for file, page in PAGES.items():
        path = ROOT / file
        text = tutorial(path) if path.suffix == ".ipynb" else path.read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Fill in lists, and rewrite links."""
    del config
    for name, make in GENERATED.items():
        begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
        if begin in markdown:
            before, _, rest = markdown.partition(begin)
            markdown = f"{before}{make()}{rest.partition(end)[2]}"
    source = SOURCES.get(page.file.src_uri, f"docs/{page.file.src_uri}")
    return LINK.sub(lambda match: _link(match, source, page.file.src_uri, files), markdown)


def _link(match: re.Match[str], source: str, page: str, files: Files) -> str:
    """Lead a link of the file `source` to a page of the site, or to the repository."""
    is_picture, words, target = match.groups()
    target, _, anchor = target.partition("#")
    anchor = f"#{anchor}" if anchor else ""
    file = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
    found = PAGES.get(file, file.removeprefix("docs/"))
    if files.get_file_from_path(found) is not None:
        relative = posixpath.relpath(found, posixpath.dirname(page) or ".")
        return f"{is_picture}[{words}]({relative}{anchor})"
    if not (ROOT / file).exists():
        return match.group()  # MkDocs says so
    repository = repository_of(os.environ)
    return f"[{words}]({repository}/blob/main/{file}{anchor})" if repository else words


def listing(magic: Magic) -> str:
    """List what can be typed after a magic."""
    rows = [f"| `{typed}` | {says} |" for typed, says in magic.listing()]
    return "\n".join(["| input | what it does |", "|---|---|", *rows])


def settings() -> str:
    """List the traits of ``c.DtaleMagics``."""
    rows = []
    traits = DtaleMagics.class_traits(config=True)
    for name in (one for one in vars(Configured) if one in traits):  # in their order there
        trait = traits[name]
        variable = re.search(r" ?\((DTALE_\w+)\)", trait.help)
        says = trait.help.replace(variable.group(), "") if variable else trait.help
        default = trait.default_value
        default = "" if default is None or not isinstance(default, (int, str)) else f"`{default}`"
        of = f"<br>`{variable.group(1)}`" if variable else ""
        rows.append(f"| `{name}`{of} | {default} | {says[0].lower()}{says[1:]} |")
    head = ["| `c.DtaleMagics.…`<br>environment | default | what it is |", "|---|---|---|"]
    return "\n".join([*head, *rows])


def commands() -> str:
    """Give the help of each command."""
    parser = command_line.parser()
    (action,) = (one for one in parser._actions if one.choices)  # noqa: SLF001 (argparse has no other way)
    parts = [("", parser), *((name, one) for name, one in dict(action.choices or {}).items())]
    os.environ["COLUMNS"] = "90"
    return "\n\n".join(
        f"## python -m dtale_magics {name}\n\n```text\n{one.format_help().rstrip()}\n```"
        for name, one in parts
    )


GENERATED: dict[str, Callable[[], str]] = {
    "%dtale": lambda: listing(DTALE),
    "%dtale_port": lambda: listing(DTALE_PORT),
    "settings": settings,
    "command line": commands,
}
"""What stands between ``<!-- … -->`` and ``<!-- /… -->``: who reads the file has a hint there."""


def tutorial(path: Path) -> str:
    """Run a notebook, and write it as a page."""
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=180, kernel_name="python3").execute()
    return "\n\n".join(part for cell in notebook.cells for part in _cell(cell))


def _cell(cell: Any) -> Iterator[str]:
    if cell.cell_type == "markdown":
        yield cell.source
        return
    yield f"```python\n{cell.source}\n```"
    for output in cell.outputs:
        data = output.get("data", {})
        text = output.get("text") or data.get("text/plain", "")
        if "text/html" in data:
            lines = re.sub(r"<style.*?</style>", "", data["text/html"], flags=re.DOTALL)
            yield "<div class='output'>" + re.sub(r"\n\s*", "", lines) + "</div>"
        elif text:
            yield f"<pre class='output'>{html.escape(text.rstrip())}</pre>"
