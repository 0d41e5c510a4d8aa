"""D-Tale's store of frames: an id means one frame as long as the kernel lives, and none is lost.

D-Tale gives out "the highest id plus one". When the latest frame is forgotten, or the store is
emptied, the next frame would get an id that was used before, and links that were shared and the
panel below an earlier cell would show the wrong frame.
"""

from __future__ import annotations

import functools
import sys
import threading
from typing import TYPE_CHECKING, Any

from dtale_magics.errors import StoreRefusedError

if TYPE_CHECKING:
    from collections.abc import Callable

CHART_ID = "999"
"""D-Tale's own id for the frame of ``dtale.offline_chart``; forgotten when the chart is drawn."""

_TRIAL_ID = "trial"


class _Last:
    """The highest id ever used in this process, even before a reload of the extension."""

    number = 0
    lock = threading.Lock()


def install(state: Any, moved: Callable[[str, str], None]) -> Callable[[], None]:
    """Change D-Tale's store; return how to undo that.

    No id is given out twice, and a store that cannot be read is refused.

    Parameters
    ----------
    state
        ``dtale.global_state``.
    moved
        Called with the old and the new id when the user gives a frame another id.
    """
    default = default_store(state)
    update_id, use_store = state.update_id, state.use_store

    def build_data_id() -> str:
        with _Last.lock:
            _note(default.keys())
            _Last.number += 1
            _Last.number += str(_Last.number) == CHART_ID
            return str(_Last.number)

    def update_and_note(old_data_id: Any, new_data_id: Any) -> Any:
        given = update_id(old_data_id, new_data_id)
        with _Last.lock:
            _note([old_data_id, new_data_id])
        moved(str(old_data_id), str(new_data_id))
        return given

    with _Last.lock:
        _note(default.keys())
    default.build_data_id = build_data_id
    state.update_id = update_and_note
    state.use_store = _checked(use_store, state)

    def undo() -> None:
        del default.build_data_id
        state.update_id, state.use_store = update_id, use_store
        package: Any = sys.modules["dtale"]
        if getattr(package, "update_id", None) is update_and_note:  # the package imported it
            package.update_id = update_id

    return undo


def default_store(state: Any) -> Any:
    """Return the object that holds D-Tale's store; ``state.store`` may be an earlier store."""
    return state._default_store  # noqa: SLF001 (D-Tale keeps it there)


def without_cleanup(draw: Callable[..., Any], state: Any) -> Callable[..., Any]:
    """Wrap ``dtale.offline_chart``, which would forget every frame of the notebook at its end."""

    @functools.wraps(draw)
    def offline_chart(*args: Any, **kwargs: Any) -> Any:
        cleanup, here = state.cleanup, threading.get_ident()

        def forget_chart(data_id: Any = None) -> None:
            ours = data_id is None and threading.get_ident() == here
            cleanup(CHART_ID if ours else data_id)

        state.cleanup = forget_chart
        try:
            return draw(*args, **kwargs)
        finally:
            state.cleanup = cleanup
            cleanup(CHART_ID)

    return offline_chart


def _note(keys: Any) -> None:
    used = [int(key) for key in keys if str(key).isdecimal() and str(key) != CHART_ID]
    _Last.number = max([_Last.number, *used])


def _checked(use_store: Callable[..., None], state: Any) -> Callable[..., None]:
    """Wrap ``use_store`` to refuse a store that does not return what was put into it."""
    default = default_store(state)

    @functools.wraps(use_store)
    def use_store_or_refuse(store_class: Any, create_store: Any) -> None:
        former, frames = default.store, dict(state.items())
        use_store(store_class, create_store)
        try:
            _try(default.store)
            dict(state.items())
        except Exception as error:
            for key, value in frames.items():
                former[key] = value
            default.store = state.store = former
            state.is_arcticdb = default.is_arcticdb
            reason = str(error).partition("\n")[0] or type(error).__name__
            raise StoreRefusedError(
                f"D-Tale cannot read back what it puts into this store: {reason}",
                "Frames are kept in memory, as before.",
            ) from error

    return use_store_or_refuse


def _try(store: Any) -> None:
    """Put a frame into `store` and take it out again; raise whatever goes wrong."""
    import pandas as pd

    frame = pd.DataFrame({"day": pd.to_datetime(["2024-01-01"]), "word": ["a"]})
    store[_TRIAL_ID] = store.build_instance(_TRIAL_ID, frame)
    found = store.get(_TRIAL_ID)
    del store[_TRIAL_ID]
    if not found.data.equals(frame):
        raise ValueError("another frame came back")
