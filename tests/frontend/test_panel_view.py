"""What the panel says in every state."""

from __future__ import annotations

import dataclasses
import json
import re
from typing import Any

import pytest

from dtale_magics.frontend.panel.model import Activity, Button, Facts, Line, Said
from dtale_magics.frontend.panel.names import Names
from dtale_magics.frontend.panel.saved.preview import Preview
from dtale_magics.frontend.panel.saved.static_form import StaticPanel
from dtale_magics.frontend.panel.view import broken, describe
from dtale_magics.news import Event
from dtale_magics.reach import causes
from dtale_magics.reach.finding import Finding
from dtale_magics.reach.verdict import Row, judge
from dtale_magics.settings import PortRange
from dtale_magics.state import Audience, FrameInfo, PortHolder, Status

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
    assert view.brief == "port 40001; ingress port 40000: train.ipynb"
    assert view.concern == ""
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
    assert view.brief == "port 40000, shared with train.ipynb"
    assert view.outside.text.endswith("port 40000 shows this notebook, below its links")
    others = [kernel(f"k{number}", f"n{number}.ipynb", number, [40000]) for number in range(5)]
    view = describe(Facts(status(port=40000, ports=(40000,)), [me, *others]))
    assert view.server.text.endswith("shared with n0.ipynb, n1.ipynb and 3 more")


def test_a_notebook_that_does_not_answer() -> None:
    view = describe(Facts(status(), [ME, {**TRAIN, "responding": False, "frames": []}]))
    assert view.ingress
    assert (view.ingress.mark, view.ingress.note) == ("frozen", "not responding")
    assert view.button
    assert view.button.label == "Take over ingress port 40000 from train.ipynb (not responding)"
    assert not view.button.confirm
    assert "not responding" in view.kernels[1].text


def test_one_notebook_on_a_laptop_is_told_nothing_of_an_ingress() -> None:
    for holder in (None, PortHolder(40000, "process", "nginx", 99, 1.0)):
        view = describe(Facts(status(ingress_holder=holder), [ME]))
        assert (view.ingress, view.button) == (None, None)
        assert view.brief == "port 40001"
        assert view.concern == ""


@pytest.mark.parametrize("found", [None, Finding(causes.OURS, 1)])
def test_words_of_clusters_are_for_those_who_have_one(found: Finding | None) -> None:
    row = Row("loopback", "http://127.0.0.1:40001", 40001, found, found)
    alone = Facts(status(ingress_holder=None), [ME], verdict=judge([row]))
    view = describe(alone)
    assert view.ingress is None
    said = [view.server, view.outside, view.brief, view.concern, view.warning, view.kernels]
    assert not re.search("ingress|outside|pod|cluster|40000 ", str(said))
    exposed = describe(dataclasses.replace(alone, audience=Audience.INGRESS))
    assert "port 40000 shows nothing" in str(exposed.outside)


def test_where_each_notebook_has_an_address_of_its_own_nobody_is_offered_the_port() -> None:
    """On a Hub whose proxy leads to each, or with an address for each of several ports."""
    view = describe(Facts(status(), [TRAIN, ME], audience=Audience.NOBODY))
    assert (view.ingress, view.button) == (None, None)
    assert view.brief == "port 40001"
    assert not re.search("ingress|outside|40000", f"{view.server}{view.outside}{view.brief}")
    there = describe(Facts(status(), [TRAIN, ME], audience=Audience.INGRESS))
    assert there.outside.text.startswith("from outside: port 40000 shows train.ipynb")
    assert there.button
    machine = describe(Facts(status(), [TRAIN, ME]))
    assert "outside" not in str(machine.outside)


def test_a_button_that_could_not_do_it_is_not_there() -> None:
    facts = Facts(status(ingress_holder=None, ingress_port=80), [ME], audience=Audience.INGRESS)
    assert describe(facts).button
    view = describe(dataclasses.replace(facts, permitted=False))
    assert view.button is None
    assert view.ingress
    assert view.ingress.note == "where this user may not listen"


def test_a_free_port() -> None:
    view = describe(Facts(status(ingress_holder=None), [ME], audience=Audience.INGRESS))
    assert view.ingress == Line("free", "Nobody has ingress port 40000")
    assert view.button == Button("take", "Use ingress port 40000")


def test_a_stranger_is_asked_about_before_anything_happens() -> None:
    holder = PortHolder(40000, "process", "process 99 (nginx) of user root", 99, 1.0)
    view = describe(Facts(status(ingress_holder=holder), [ME], audience=Audience.INGRESS))
    assert view.ingress == Line("stranger", f"Ingress port 40000 is held by {holder.label}")
    assert view.button
    assert view.button.label == "Try to take over ingress port 40000"
    assert "loses its frames" in view.button.confirm


OWN = PortHolder(40000, "this kernel", "eda.ipynb", 10, 5.0)
HOLDS = status(port=40000, ports=(40001, 40000), holds_ingress=True, ingress_holder=OWN)
GIVE_BACK = Button("release", "Give back ingress port 40000 to train.ipynb")


def test_the_port_is_ours() -> None:
    view = describe(Facts(HOLDS, [ME], audience=Audience.INGRESS))
    assert view.server == Line("ours", "D-Tale on port 40000", note="open tabs also on 40001")
    assert view.ingress == Line("ours", "This notebook is in front at ingress port 40000", 5.0)
    assert view.button is None
    assert view.brief == "port 40000"

    view = describe(Facts(HOLDS, [ME, TRAIN]), Activity(taken_from="train.ipynb"))
    assert view.button == GIVE_BACK
    gone = describe(
        Facts(HOLDS, [ME], audience=Audience.INGRESS), Activity(taken_from="train.ipynb")
    )
    assert gone.button is None


def test_undo_is_the_one_button_for_what_it_does_and_goes_with_its_message() -> None:
    said = Said("take", ok=True, text="Port 40000 was taken.")
    undo = Button("release", "Undo: train.ipynb in front again")
    activity = Activity(said=said, undo=undo, taken_from="train.ipynb", ended=10.0)
    view = describe(Facts(HOLDS, [ME, TRAIN]), activity)
    assert view.activity.undo == undo
    assert view.button is None
    later = [Event(11.0, "Something else happened.")]
    view = describe(Facts(HOLDS, [ME, TRAIN], later), activity)
    assert view.activity.undo is None
    assert view.button == GIVE_BACK


def test_nothing_runs() -> None:
    view = describe(Facts(status(port=None, ports=(), ingress_holder=None, frames=())))
    assert view.server == Line("free", "D-Tale is not running", note="start it with %dtale df")
    assert view.kernels == ()
    assert view.end is None


def test_a_grid_without_a_server_says_why() -> None:
    stopped = describe(Facts(status(port=None, ports=())))
    assert stopped.end
    assert "was stopped" in stopped.end.text
    retired = describe(Facts(status(port=None, ports=()), retired=True))
    assert retired.end
    assert "%load_ext dtale_magics" in retired.end.hint


def test_news_are_what_happened_after_the_last_action() -> None:
    events = [Event(1.0, "first"), Event(2.0, "second"), Event(4.0, "Showing df.", routine=True)]
    view = describe(Facts(status(), [], events))
    assert view.news == "second"
    assert view.concern == "news of 2.0"
    quiet = describe(Facts(status(), [], events), Activity(ended=3.0))
    assert (quiet.news, quiet.concern) == ("", "")
    texts = ((4.0, "Showing df."), (2.0, "second"), (1.0, "first"))
    assert describe(Facts(status(), [], events)).events == texts


@pytest.mark.parametrize(
    "view",
    [
        describe(Facts(status(), [TRAIN, ME], [Event(1.0, "x")])),
        broken("D-Tale", "DTALE_MIN_PORT is 'x'.", "A port is a number."),
    ],
)
def test_a_view_is_json_with_a_shape_for_every_mark(view: Any) -> None:
    plain = json.loads(json.dumps(view.as_dict()))
    assert all(plain[name]["glyph"] for name in ("server", "ingress", "outside"))


def test_a_renamed_notebook_has_one_name_everywhere() -> None:
    names = Names()
    assert not names.know({"you": "train.ipynb", "me": "eda.ipynb"}, "me")
    said = Said("take", ok=True, text="Port 40000 was taken from train.ipynb; retrain.ipynb waits.")
    activity = Activity(said=said, undo=GIVE_BACK, taken_from="train.ipynb", ended=2.0)
    events = [Event(1.0, "train.ipynb has taken port 40000.")]
    view = describe(Facts(HOLDS, [ME, {**TRAIN, "label": "fit.ipynb"}], events), activity)
    assert not names.know({"you": "fit.ipynb", "me": "eda.ipynb"}, "me")
    view = names.up_to_date(view)
    assert view.activity.said
    assert view.activity.said.text == "Port 40000 was taken from fit.ipynb; retrain.ipynb waits."
    assert view.activity.undo
    assert view.activity.undo.label.endswith("to fit.ipynb")
    assert view.activity.taken_from == "fit.ipynb"
    assert view.events[0][1] == "fit.ipynb has taken port 40000."
    # The name is another notebook's now.
    names.know({"new": "train.ipynb"}, "me")
    assert names.up_to_date("train.ipynb") == "train.ipynb"
    assert names.know({"me": "eda2.ipynb"}, "me")


def test_the_static_form_is_escaped() -> None:
    preview = Preview((HOSTILE,), (HOSTILE,), ((HOSTILE,),))
    static = StaticPanel(f"{HOSTILE}: 1 row", preview, reason=HOSTILE, links=[f'"{HOSTILE}'])
    bundle = static._repr_mimebundle_()
    assert "<img" not in bundle["text/html"]
    assert "&lt;img src=x" in bundle["text/html"]
    assert '""' not in bundle["text/html"]
