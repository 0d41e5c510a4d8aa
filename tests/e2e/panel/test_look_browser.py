"""How a panel looks and is used: narrow, zoomed, dark, by keyboard, aloud, without a kernel."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.e2e.panel.cells import CELLS
from tests.support.browser import NotebookPage

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator

    from tests.support.jupyter import Jupyter

pytestmark = [
    pytest.mark.timeout(300),
    # Playwright's loop and Jupyter's processes are closed by their own ends.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

LEAST_CONTRAST = 4.5
"""Of text with its background, as WCAG 2 asks of it (1.4.3, AA)."""

PARTS = """
panel => [...panel.querySelectorAll('*')].filter(
  one => one.checkVisibility() && [...one.childNodes].some(
    child => child.nodeType === Node.TEXT_NODE && child.textContent.trim()))
"""
OUTSIDE = f"""
panel => ({PARTS})(panel)
  .filter(one => one.getBoundingClientRect().right > panel.getBoundingClientRect().right + 1)
  .map(one => one.textContent)
"""
FAINT = f"""
(panel, least) => {{
  const canvas = document.createElement('canvas').getContext('2d', {{willReadFrequently: true}});
  const rgba = colours => {{  // painted one over the other
    canvas.clearRect(0, 0, 1, 1);
    for (const colour of colours) {{ canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1); }}
    return canvas.getImageData(0, 0, 1, 1).data;
  }};
  const luminance = ([red, green, blue]) => [red, green, blue]
    .map(part => part / 255)
    .map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
    .reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0);
  return ({PARTS})(panel)
    .filter(one => !one.closest('[aria-disabled=true]') && !one.matches('.dp-mark'))
    .map(one => {{
      const behind = ['white'];
      for (let box = one; box; box = box.parentElement)
        behind.splice(1, 0, getComputedStyle(box).backgroundColor);
      const back = luminance(rgba(behind));
      const front = luminance(rgba([...behind, getComputedStyle(one).color]));
      const ratio = (Math.max(back, front) + 0.05) / (Math.min(back, front) + 0.05);
      return [one.className + ': ' + one.textContent, ratio];
    }})
    .filter(([, ratio]) => ratio < least);
}}
"""


def opened(browser: Browser, jupyter: Jupyter, face: str) -> NotebookPage:
    name = f"look-{face}.ipynb"
    jupyter.write(name, CELLS)
    page = NotebookPage(browser, jupyter, name, face, unfolded=False)
    page.run(0)
    page.run(1)
    expect(page.grid(1).locator("body")).to_contain_text("Oslo")
    return page


def focused(part: Locator) -> None:
    expect(part).to_be_focused()
    outline = part.evaluate("one => getComputedStyle(one).outlineStyle")
    assert outline != "none"  # a reader sees where one is


@pytest.mark.parametrize("face", ["lab", "notebook"])
def test_a_panel_is_read_and_used_by_everybody(  # noqa: PLR0915 (one page for all of it)
    browser: Browser, jupyter: Jupyter, face: str
) -> None:
    page = opened(browser, jupyter, face)
    panel, keys = page.panel(1), page.page.keyboard

    # One line, whatever the font.
    lines = panel.evaluate(
        "panel => panel.offsetHeight / parseFloat(getComputedStyle(panel).lineHeight)"
    )
    assert lines < 2

    # By keyboard alone, in the order in which one reads.
    fold = panel.get_by_role("button", name="More of this D-Tale")
    panel.get_by_role("link", name="Open").focus()
    keys.press("Tab")
    focused(panel.get_by_role("button", name="Copy link"))
    keys.press("Enter")
    expect(panel.get_by_role("button", name="Copied")).to_be_focused()
    link = page.page.evaluate("navigator.clipboard.readText()")
    assert link == panel.get_by_role("link", name="Open").get_attribute("href")
    keys.press("Tab")
    focused(fold)
    keys.press("Enter")
    expect(fold).to_have_attribute("aria-expanded", "true")
    keys.press("Tab")
    if panel.locator(".dp-primary").is_visible():  # another test's notebook is on this machine
        focused(panel.locator(".dp-primary"))
        keys.press("Tab")
    focused(panel.locator("summary"))
    keys.press("Enter")
    keys.press("Tab")
    focused(panel.get_by_label("Look for ports in"))
    keys.press("Control+a")
    keys.type("9-1")
    keys.press("Enter")
    wrong = panel.locator(".dp-error")
    expect(wrong).to_contain_text("range is empty")
    keys.press("Tab")
    focused(panel.get_by_role("button", name="Set", exact=True))
    keys.press("Tab")
    focused(panel.get_by_role("button", name="Reset"))
    keys.press("Enter")
    expect(wrong).to_have_text("")

    # Read aloud: one region for each frame, one voice for the page, a name for whatever is used.
    snapshot = panel.aria_snapshot()
    assert 'region "D-Tale: few"' in snapshot.splitlines()[0]
    assert len(re.findall(r"\bregion\b", snapshot)) == 1
    assert not re.search(r"\b(?:status|alert|log)\b", snapshot)
    assert not re.search(r"(?:button|link|textbox)(?: \[.*\])?:?$", snapshot, re.MULTILINE)
    expect(page.page.locator(".dtale-announcer")).to_have_count(1)

    # Narrow, and at 200 %; light and dark.
    session = page.page.context.new_cdp_session(page.page)
    for width, scale in ((600, 1), (550, 2)):
        size = {"width": width, "height": 1000, "deviceScaleFactor": scale, "mobile": False}
        session.send("Emulation.setDeviceMetricsOverride", size)
        for on in (True, False):
            page.dark(1, on=on)
            page.picture(jupyter.directory / f"{width}-{on}.png", 1)
            assert panel.evaluate(OUTSIDE) == [], (width, on)
            assert panel.evaluate(FAINT, LEAST_CONTRAST) == [], (width, on)
    session.send("Emulation.clearDeviceMetricsOverride")
    page.page.evaluate("localStorage.removeItem('dtale_magics.unfolded.frame')")

    # Settings: a theme that is not the page's, another height.
    page.run(2)
    expect(page.grid(2).locator("body")).to_have_class(re.compile("dark-mode"))
    expect(page.grid(1).locator("body")).to_have_class(re.compile("dark-mode"))
    box = page.output(2).locator(".dtale-frame").bounding_box()
    assert box
    assert box["height"] == pytest.approx(250, abs=2)
    if face == "lab":  # Notebook 7 itself throws when its theme is changed by command
        assert page.problems == []

    # Saved, and opened again when its kernel is gone: the frame itself, and nothing that failed.
    page.save()
    kernel = jupyter.kernel(page.name)
    assert kernel
    jupyter.api(f"kernels/{kernel['id']}", "DELETE")
    page.open()
    expect(page.output(1).locator(".dtale-magics-static")).to_be_visible()
    expect(page.output(1)).to_contain_text("Kyiv")
    expect(page.output(1)).not_to_contain_text(re.compile("error|port|http", re.IGNORECASE))
    page.page.context.close()
