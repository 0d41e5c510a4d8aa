"""What the build adds to the package's metadata: the README for readers outside the repository.

Nothing in here says where the repository is, as it may move or be a fork. The release workflow
knows (``GITHUB_REPOSITORY``): then links lead to the tagged files there, and the package says where
it comes from. Built anywhere else, links to files of the repository are plain text.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

if TYPE_CHECKING:
    from collections.abc import Mapping

LINK = re.compile(r"(!?)\[([^\]]*)\]\((?!https?:|mailto:|#)([^)\s]+)\)")
DTALE = "https://github.com/man-group/dtale"


def repository_of(environ: Mapping[str, str]) -> str:
    """Return the repository's address as GitHub's runners tell it; empty elsewhere."""
    name = environ.get("GITHUB_REPOSITORY", "")
    return f"{environ.get('GITHUB_SERVER_URL', 'https://github.com')}/{name}" if name else ""


def readable(text: str, repository: str, tag: str) -> str:
    """Replace links to files beside `text`, which do not work where the package is shown."""

    def replaced(match: re.Match[str]) -> str:
        is_picture, words, path = match.groups()
        if repository:
            kind = "raw" if is_picture else "blob"
            return f"{is_picture}[{words}]({repository}/{kind}/{tag}/{path})"
        if is_picture:
            return ""
        file = path.partition("#")[0]
        return words if file in words else f"{words} (`{file}`)"

    return LINK.sub(replaced, text)


class ReadmeAndUrls(MetadataHookInterface):
    """Called by hatchling."""

    PLUGIN_NAME = "custom"

    def update(self, metadata: dict[str, Any]) -> None:
        """Fill in what pyproject.toml calls dynamic."""
        root = Path(self.root)
        tag = (
            "v" + re.findall(r'VERSION = "(.+)"', (root / "dtale_magics/version.py").read_text())[0]
        )
        repository = repository_of(os.environ)
        text = readable((root / "README.md").read_text(encoding="utf-8"), repository, tag)
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
        metadata["urls"] = {"D-Tale": DTALE}
        if repository:
            metadata["urls"] |= {
                "Source": f"{repository}/tree/{tag}",
                "Documentation": f"{repository}/tree/{tag}/docs",
                "Changelog": f"{repository}/blob/{tag}/CHANGELOG.md",
                "Issues": f"{repository}/issues",
            }
