"""Make the moving pictures: ``.venv/bin/python -m docs.pictures.move``, as root on Linux.

A takeover, and a frame that is watched, each in both themes of JupyterLab, from the real thing.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw
from playwright.sync_api import expect

from docs.pictures.take import FOLDER, WIDTH, Studio, fold, studio
from tests.support.browser import NotebookPage

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from playwright.sync_api import Locator

SETTLED_MILLISECONDS = 1200
COLOURS = 96
ARROW = ((0, 0), (0, 17), (4, 13), (7, 19), (10, 18), (7, 12), (12, 12))
"""A mouse pointer, since a screenshot has none."""

_SALES = "sales = pd.DataFrame({'city': ['Bern', 'Oslo', 'Lima'], 'pieces': [3, 5, 2]})"
WATCHED = [
    "%load_ext dtale_magics\nimport pandas as pd",
    f"{_SALES}\n%dtale sales --watch",
    "sales['price'] = [20.5, 18.0, 7.25]",
    "sales.loc[sales.city == 'Oslo', 'pieces'] = 50",
]


class Film:
    """Pictures, and how long each is shown."""

    def __init__(self) -> None:
        self.frames: list[tuple[Image.Image, int]] = []

    def add(self, picture: Image.Image, seconds: float) -> None:
        """Show a picture for so long."""
        self.frames.append((picture, round(seconds * 1000)))

    def save(self, path: Path) -> None:
        """Write a GIF, which every place shows where a README is shown."""
        height = max(picture.height for picture, _ in self.frames)
        first = self.frames[0][0]
        ground = first.getpixel((2, first.height - 2))
        pictures = []
        for picture, _ in self.frames:
            whole = Image.new("RGB", (first.width, height), ground)
            whole.paste(picture, (0, 0))
            pictures.append(whole.quantize(COLOURS, dither=Image.Dither.NONE))
        pictures[0].save(
            path,
            save_all=True,
            append_images=pictures[1:],
            duration=[milliseconds for _, milliseconds in self.frames],
            loop=0,
            optimize=True,
        )


def shot(locator: Locator) -> Image.Image:
    """Take one element."""
    return Image.open(io.BytesIO(locator.screenshot())).convert("RGB")


def above(pictures: Sequence[Image.Image], gap: int = 14) -> Image.Image:
    """Put pictures above each other, on the colour of their edge."""
    size = (max(one.width for one in pictures), sum(one.height + gap for one in pictures) - gap)
    whole = Image.new("RGB", size, pictures[0].getpixel((0, 0)))
    top = 0
    for one in pictures:
        whole.paste(one, (0, top))
        top += one.height + gap
    return whole


def point(picture: Image.Image, x: float, y: float) -> Image.Image:
    """Draw a pointer."""
    pointed = picture.copy()
    ImageDraw.Draw(pointed).polygon([(x + dx, y + dy) for dx, dy in ARROW], "white", "black")
    return pointed


def takeover(one: NotebookPage, other: NotebookPage) -> Film:
    """Film how `other` becomes the one in front, and both panels say so."""
    film = Film()

    def both() -> Image.Image:
        one.page.wait_for_timeout(SETTLED_MILLISECONDS)
        return above([shot(page.panel(1)) for page in (one, other)])

    button = other.panel(1).locator(".dp-primary")
    expect(button).to_be_visible()
    before = both()
    film.add(before, 2.0)
    panel, place = other.panel(1).bounding_box(), button.bounding_box()
    assert panel is not None
    assert place is not None
    x = place["x"] - panel["x"] + place["width"] / 2
    y = place["y"] - panel["y"] + place["height"] / 2 + before.height - round(panel["height"])
    film.add(point(before, x, y), 1.0)
    button.click()
    expect(other.panel(1).locator(".dp-undo")).to_be_visible()
    other.page.mouse.move(0, 0)
    film.add(both(), 3.0)
    return film


def watched(page: NotebookPage) -> Film:
    """Film a grid that follows its variable."""
    film = Film()

    def cells() -> Image.Image:
        page.page.mouse.move(0, 0)
        page.page.wait_for_timeout(SETTLED_MILLISECONDS)
        return above([shot(page.cell(index)) for index in (1, 2, 3)], gap=0)

    expect(page.grid(1).locator("body")).to_contain_text("Lima")
    film.add(cells(), 1.6)
    page.run(2)
    expect(page.grid(1).locator("body")).to_contain_text("20.5")
    film.add(cells(), 1.6)
    page.run(3)
    expect(page.grid(1).locator("body")).to_contain_text("50")
    film.add(cells(), 2.6)
    return film


def film_all(in_studio: Studio, ending: str, *, dark: bool) -> None:
    """Make each film in one theme."""
    in_studio.jupyter.write("sales.ipynb", WATCHED)
    sales = NotebookPage(in_studio.browser, in_studio.jupyter, "sales.ipynb", unfolded=False)
    sales.page.set_viewport_size({"width": WIDTH, "height": 1100})
    sales.run(0)
    sales.run(1)
    sales.dark(1, on=dark)
    watched(sales).save(FOLDER / f"watch{ending}.gif")
    sales.page.evaluate("window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")

    train, eda = in_studio.open("train.ipynb"), in_studio.open("eda.ipynb")
    for page in (train, eda):
        page.dark(1, on=dark)
        fold(page)
    takeover(train, eda).save(FOLDER / f"takeover{ending}.gif")


if __name__ == "__main__":
    for one in ("", "-dark"):
        with studio() as prepared:
            film_all(prepared, one, dark=bool(one))
