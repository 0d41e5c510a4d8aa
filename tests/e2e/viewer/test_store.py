"""A data id means one frame for as long as the kernel lives, whatever D-Tale's store does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.kernels import Kernel
from tests.support.plain_http import request
from tests.support.ports import PortClaims

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def shared_kernel() -> Iterator[Kernel]:
    with PortClaims() as claims, Kernel(claims.take()) as kernel:
        kernel.start()
        kernel.run("%load_ext dtale_magics\nimport pandas as pd\nimport dtale, dtale.global_state")
        yield kernel


@pytest.fixture
def kernel(shared_kernel: Kernel) -> Kernel:
    """One kernel for all; each test makes frames of its own."""
    shared_kernel.run("%dtale --drop all")
    shared_kernel.run("one, two = pd.DataFrame({'a': [1]}), pd.DataFrame({'b': [2], 'c': [3]})")
    return shared_kernel


def ids(kernel: Kernel) -> dict[str, str]:
    return {one["name"]: one["data_id"] for one in kernel.status()["frames"]}


def status_of(kernel: Kernel, data_id: str) -> int:
    return request(f"{kernel.status()['url']}dtale/data/{data_id}?ids=%5B%220%22%5D").status


@pytest.mark.parametrize(
    "forget",
    [
        "%dtale --drop two",
        "inst.cleanup()",
        "dtale.global_state.cleanup()",
        "dtale.global_state.cleanup(inst._data_id)",
        "inst.update_id('77'); dtale.global_state.cleanup('77')",
        "dtale.global_state.clear_store()",
    ],
)
def test_a_link_that_was_given_away_never_shows_another_frame(kernel: Kernel, forget: str) -> None:
    kernel.run("%dtale one")
    kernel.run("inst = %dtale two")
    given_away = ids(kernel)
    kernel.run(forget)
    assert status_of(kernel, given_away["two"]) == 404
    for show in ("%dtale one.T", "dtale.show(two.T)"):
        kernel.run(show)
    kernel.run("late = %dtale two")
    now = ids(kernel)
    assert now["two"] not in given_away.values()
    assert status_of(kernel, given_away["two"]) == 404
    if "one" in now:
        assert now["one"] == given_away["one"]


def test_ids_go_on_where_the_user_has_given_a_higher_one(kernel: Kernel) -> None:
    kernel.run("inst = %dtale two")
    kernel.run("inst.update_id('500')")
    assert ids(kernel) == {"two": "500"}, "its name goes with it"
    kernel.run("%dtale --drop two")
    kernel.run("%dtale one")
    assert ids(kernel) == {"one": "501"}


def test_ids_go_on_after_the_extension_was_loaded_again(kernel: Kernel) -> None:
    kernel.run("%dtale two")
    before = ids(kernel)["two"]
    kernel.run("%dtale --drop two")
    kernel.run("%reload_ext dtale_magics")
    kernel.run("%dtale one")
    assert int(ids(kernel)["one"]) > int(before)


def test_an_offline_chart_forgets_nothing(kernel: Kernel) -> None:
    kernel.run("%dtale one")
    kernel.run("%dtale two")
    before = ids(kernel)
    drawn = kernel.run("dtale.offline_chart(two, chart_type='bar', x='b', y='c')")
    assert "Plotly" in drawn.text
    kernel.run("dtale.offline_chart(two, chart_type='nonsense')", ok=False)
    assert ids(kernel) == before
    assert status_of(kernel, before["one"]) == 200


def test_a_store_that_cannot_be_read_is_refused_and_changes_nothing(kernel: Kernel) -> None:
    """D-Tale 3.22 cannot read frames with dates back from a shelf, with pandas 3."""
    kernel.run("%dtale one")
    before = kernel.status()["frames"]
    kernel.run("import tempfile; shelf = tempfile.mkdtemp()")
    said = kernel.run("dtale.global_state.use_shelve_store(shelf)", ok=False)
    if said.error is not None:  # a D-Tale or pandas with which it works is as good
        assert said.error == "StoreRefusedError"
        assert "Frames are kept in memory" in said.text
    assert kernel.status()["frames"] == before
    assert status_of(kernel, before[0]["data_id"]) == 200
    kernel.run("%dtale two")
    assert set(ids(kernel)) == {"one", "two"}


OWN_STORE = """
class Store(dtale.global_state.DtaleBaseStore):
    pop = None
    def __init__(self): self.inner = {}
    def get(self, key, default=None): return self.inner.get(key, default)
    def clear(self): self.inner.clear()
    def keys(self): return self.inner.keys()
    def items(self): return self.inner.items()
    def to_dict(self): return dict(self.inner)
    def __setitem__(self, key, value): self.inner[key] = value
    def __delitem__(self, key): del self.inner[key]
    def __iter__(self): return iter(self.inner)
    def __len__(self): return len(self.inner)
    def __contains__(self, key): return key in self.inner
def make(name): return Store()
dtale.global_state.use_store(Store, make)
"""


def test_a_store_with_what_dtale_demands_and_no_more_works() -> None:
    with PortClaims() as claims, Kernel(claims.take()) as kernel:
        kernel.start()
        kernel.run("%load_ext dtale_magics\nimport pandas as pd, dtale.global_state, dtale")
        kernel.run("one, two = pd.DataFrame({'a': [1]}), pd.DataFrame({'b': [2], 'c': [3]})")
        kernel.run("%dtale one")
        kernel.run(OWN_STORE)
        kernel.run("%dtale two")
        kernel.run("%dtale one")
        assert set(ids(kernel)) == {"one", "two"}
        assert kernel.value("sorted(dtale.global_state.keys())") == sorted(ids(kernel).values())


def test_panels_go_with_their_frames(kernel: Kernel) -> None:
    count = "len(__import__('ipywidgets').widgets.widget._instances)"
    kernel.run("%dtale one")

    def rounds(number: int) -> None:
        code = "for i in range({}):\n    globals()[f'f{{i}}'] = one.copy()\n"
        code += "    get_ipython().run_line_magic('dtale', f'f{{i}}')\n"
        code += "    get_ipython().run_line_magic('dtale', f'--drop f{{i}}')"
        kernel.run(code.format(number))

    rounds(55)  # the last fifty still say in their cells what became of their frame
    before = kernel.value(count)
    rounds(20)
    assert kernel.value(count) <= before + 3
    assert set(ids(kernel)) == {"one"}


def test_the_panel_comes_back_after_all_widgets_were_closed(kernel: Kernel) -> None:
    kernel.run("%dtale one")
    kernel.run("import ipywidgets; ipywidgets.Widget.close_all()")
    shown: list[dict[str, Any]] = kernel.run("%dtale one", cell="one").displays
    mime = "application/vnd.jupyter.widget-view+json"
    views = [one[mime] for one in shown if mime in one]
    assert views
    known = "list(__import__('ipywidgets').widgets.widget._instances)"
    assert views[0]["model_id"] in kernel.value(known)
