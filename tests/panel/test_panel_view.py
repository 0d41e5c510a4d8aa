"""What the panel says in every state."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from dtale_magics.frontend.panel_static import StaticPanel, text
from dtale_magics.frontend.panel_view import Activity, Button, Facts, Line, Said, broken, describe
from dtale_magics.settings import PortRange
from dtale_magics.state import FrameInfo, PortHolder, Status

FRAME = FrameInfo("df", "1", 1000, 3, None)
HOSTILE = "<img src=x onerror=alert(1)>.ipynb"


def status(**changes: Any) -> Status:
    default = Status(
        owner="me",
        label="eda.ipynb",
        pid=10,
        range=PortRange(40000, 40009),
        port=40001,
        ports=(40001,),
        url=None,
        ingress_port=40000,
        holds_ingress=False,
        ingress_holder=PortHolder(40000, "notebook", "train.ipynb", 20, 1_700_000_000.0),
        frames=(FRAME,),
    )
    return dataclasses.replace(default, **changes)


def kernel(owner: str, label: str, pid: int, ports: list[int], **more: Any) -> dict[str, Any]:
    frames = [{"name": "df", "data_id": "1", "rows": 1000, "columns": 3}]
    return {"owner": owner, "label": label, "pid": pid, "ports": ports, "frames": frames, **more}


ME = kernel("me", "eda.ipynb", 10, [40001])
TRAIN = kernel("you", "train.ipynb", 20, [40000])


def test_another_notebook_has_the_port() -> None:
    view = describe(Facts(status(), [TRAIN, ME]))
    assert view.server == Line("ours", "D-Tale on port 40001")
    assert view.ingress == Line(
        "held", "train.ipynb is in front at ingress port 40000", 1_700_000_000.0
    )
    assert view.button == Button("take", "Take over ingress port 40000 from train.ipynb")
    assert view.outside.text.endswith("port 40000 shows train.ipynb, not this notebook")
    assert [(row.label, row.here) for row in view.kernels] == [
        ("eda.ipynb", True),
        ("train.ipynb", False),
    ]
    assert view.kernels[1].frames == ("df: 1,000 rows × 3 columns",)


def test_the_port_is_shared() -> None:
    me = {**ME, "ports": [40000]}
    view = describe(Facts(status(port=40000, ports=(40000,)), [TRAIN, me]))
    assert view.server == Line("ours", "D-Tale on port 40000, shared with train.ipynb")
    assert view.ingress
    assert view.ingress.note == "this notebook’s links work there too"
    assert view.outside.text.endswith("port 40000 shows this notebook, below its links")
    others = [kernel(f"k{number}", f"n{number}.ipynb", number, [40000]) for number in range(5)]
    view = describe(Facts(status(port=40000, ports=(40000,)), [me, *others]))
    assert view.server.text.endswith("shared with n0.ipynb, n1.ipynb and 3 more")


def test_a_notebook_that_does_not_answer() -> None:
    view = describe(Facts(status(), [ME, {**TRAIN, "responding": False, "frames": []}]))
    assert (view.ingress.mark, view.ingress.note) == ("frozen", "not responding")
    assert view.button
    assert view.button.label == "Take over ingress port 40000 from train.ipynb (not responding)"
    assert not view.button.confirm
    assert "not responding" in view.kernels[1].text


def test_a_free_port() -> None:
    view = describe(Facts(status(ingress_holder=None), [ME]))
    assert view.ingress == Line("free", "Nobody has ingress port 40000")
    assert view.button == Button("take", "Use ingress port 40000")


def test_a_stranger_is_asked_about_before_anything_happens() -> None:
    holder = PortHolder(40000, "process", "process 99 (nginx) of user root", 99, 1.0)
    view = describe(Facts(status(ingress_holder=holder), [ME]))
    assert view.ingress == Line("stranger", f"Ingress port 40000 is held by {holder.label}")
    assert view.button
    assert view.button.label == "Try to take over ingress port 40000"
    assert "loses its frames" in view.button.confirm


def test_the_port_is_ours() -> None:
    own = PortHolder(40000, "this kernel", "eda.ipynb", 10, 5.0)
    now = status(port=40000, ports=(40001, 40000), holds_ingress=True, ingress_holder=own)
    view = describe(Facts(now, [ME]))
    assert view.server == Line("ours", "D-Tale on port 40000", note="open tabs also on 40001")
    assert view.ingress == Line("ours", "This notebook is in front at ingress port 40000", 5.0)
    assert view.button is None

    view = describe(Facts(now, [ME, TRAIN]), Activity(taken_from="train.ipynb"))
    assert view.button == Button("release", "Give back ingress port 40000 to train.ipynb")
    gone = describe(Facts(now, [ME]), Activity(taken_from="train.ipynb"))
    assert gone.button is None


def test_nothing_runs() -> None:
    view = describe(Facts(status(port=None, ports=(), ingress_holder=None, frames=())))
    assert view.server == Line("free", "D-Tale is not running", note="start it with %dtale df")
    assert view.kernels == ()


def test_news_are_what_happened_after_the_last_action() -> None:
    events = [(1.0, "first"), (2.0, "second")]
    assert describe(Facts(status(), [], events)).news == "second"
    assert describe(Facts(status(), [], events), Activity(ended=3.0)).news == ""
    assert describe(Facts(status(), [], events)).events == ((2.0, "second"), (1.0, "first"))


@pytest.mark.parametrize(
    "view",
    [
        describe(Facts(status(), [TRAIN, ME], [(1.0, "x")])),
        broken("D-Tale", "DTALE_MIN_PORT is 'x'.", "A port is a number."),
    ],
)
def test_a_view_is_json_with_a_shape_for_every_mark(view: Any) -> None:
    plain = json.loads(json.dumps(view.as_dict()))
    assert all(plain[name]["glyph"] for name in ("server", "ingress", "outside"))


def test_the_static_form_is_escaped_and_says_the_same() -> None:
    said = Said("take", ok=False, text=f"No: {HOSTILE}", hint="Do that.")
    view = describe(Facts(status(label=HOSTILE), [ME, TRAIN]), Activity(said=said))
    static = StaticPanel(view, f"{HOSTILE}: 1 row")
    bundle = static._repr_mimebundle_()
    assert "<img" not in bundle["text/html"]
    assert "&lt;img src=x" in bundle["text/html"]
    plain = text(view)
    assert "train.ipynb is in front at ingress port 40000 since" in plain
    assert plain.endswith("Do that.")
