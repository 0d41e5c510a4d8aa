"""Tab, as the kernel answers it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.kernels import Kernel

NAMES = """
wide = pd.DataFrame({"price": [1], "product name": [2], "a,b": [3]})
wide.index.name = "day"
pairs = pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("x", 1), ("x", 2)]))
text = "no frame"
def download():
    return df
"""


def complete(kernel: Kernel, text: str, behind: str = "") -> list[str]:
    """What is offered with the cursor at the end of `text`, as it would stand in the line."""
    reply = kernel.client.complete(text + behind, len(text), reply=True, timeout=60)["content"]
    return list(reply["matches"])


@pytest.fixture(scope="module", autouse=True)
def _names(kernel: Kernel) -> None:
    kernel.run(NAMES)


ALL = [
    ("%dtale df --theme ", {"light", "dark"}),
    ("%dtale df --theme d", {"dark"}),
    ("%dtale df --theme=", {"light", "dark"}),
    ("%%dtale --theme ", {"light", "dark"}),
    ("x = %dtale df --theme ", {"light", "dark"}),
    (
        "%dtale df --background-mode heatmap-col-",
        {f"heatmap-col-{one}" for one in ("a", "zip", "k")},
    ),
    ("%dtale df --sort ", {"a", "zip", "k"}),
    ("%dtale df --sort a:", {"ASC", "DESC"}),
    ("%dtale df --sort a:D", {"DESC"}),
    ("%dtale df --sort a:DESC,", {"zip", "k"}),
    ("%dtale df --hide-columns a,", {"zip", "k"}),
    ("%dtale df --hide-columns a, ", {"zip", "k"}),
    ("%dtale df --hide-columns z", {"zip"}),
    ("%dtale df[df.a > 1] --show-columns ", {"a", "zip", "k"}),
    ("%dtale df --theme dark --locked ", {"a", "zip", "k"}),
    ("%dtale wide --sort p", {"price", "'product name'"}),
    ("%dtale wide --locked ", {"day", "price", "'product name'", "'a,b'"}),
    ("%dtale pairs --sort ", {"x_1", "x_2"}),
    ("%dtale_port --r", {"--reset", "--release"}),
]


@pytest.mark.parametrize(("text", "offered"), ALL)
def test_what_can_follow_is_offered_and_nothing_else(
    kernel: Kernel, text: str, offered: set[str]
) -> None:
    assert set(complete(kernel, text)) == offered


def test_columns_of_a_frame_that_stands_behind_the_cursor(kernel: Kernel) -> None:
    assert set(complete(kernel, "%dtale --sort ", " df")) == {"a", "zip", "k"}


@pytest.mark.parametrize(
    ("text", "offered"),
    [
        ('%dtale df["', "a"),
        ("%dtale df['z", "zip"),
        ('%dtale wide["', "product name"),
        ("%dtale df.he", "head"),
        ("%dtale df --th", "--theme"),
        ("%dtale df --dr", "--drop"),
        ("%dtale df ", "--theme"),
        ("%dtale df --hide-shutdown ", "--theme"),
        ("%dtale --hide-shutdown ", "df"),
        ("%dtale df[df.a > 1] ", "--hide-columns"),
        ("%dtale dow", "download"),
    ],
)
def test_what_is_offered_among_others(kernel: Kernel, text: str, offered: str) -> None:
    assert any(one.strip("\"'[]").endswith(offered) for one in complete(kernel, text))


@pytest.mark.parametrize("text", ["%dtale ", "%dtale --theme dark ", "inst = %dtale "])
def test_frames_and_options_come_first(kernel: Kernel, text: str) -> None:
    offered = complete(kernel, text)
    assert set(offered[:3]) == {"df", "wide", "pairs"}
    assert offered.index("--theme") < offered.index("text")


def test_frames_come_before_what_begins_alike(kernel: Kernel) -> None:
    offered = complete(kernel, "%dtale d")
    assert offered[0] == "df"
    assert "download" in offered


@pytest.mark.parametrize(
    "text", ["%dtale df --theme ", "%dtale df --port ", "%dtale df --precision ", "%dtale df # "]
)
def test_frames_are_not_offered_as_values(kernel: Kernel, text: str) -> None:
    assert not {"df", "wide"} & set(complete(kernel, text))


def test_names_that_are_shown_are_offered_for_dropping(kernel: Kernel) -> None:
    kernel.run("%dtale --drop all\n%dtale wide\n%dtale df.head(1)\n%dtale df[df.a > 1]")
    offered = complete(kernel, "%dtale --drop ")
    assert set(offered) == {"wide", "'df.head(1)'", "'df[df.a > 1]'", "all"}
    assert complete(kernel, "%dtale --drop w") == ["wide"]
    kernel.run("%dtale --drop 'df[df.a > 1]' wide")
    assert [one["name"] for one in kernel.status()["frames"]] == ["df.head(1)"]
    assert complete(kernel, "%dtale --data ") == ["'df.head(1)'"]
