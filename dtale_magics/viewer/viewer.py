"""The real D-Tale, which shows a frame in the place where it belongs."""

from __future__ import annotations

import contextlib
import inspect
import itertools
import threading
from typing import TYPE_CHECKING, Any

from dtale_magics.errors import FrameRefusedError, UsageError
from dtale_magics.settings import KEPT_EXPRESSIONS, LAZY_ROWS
from dtale_magics.state import Cell
from dtale_magics.viewer import carry_over, layout, option_check
from dtale_magics.viewer.apps import Apps, dtale
from dtale_magics.viewer.frames import substitutes
from dtale_magics.viewer.origin import Origin, memory_of
from dtale_magics.viewer.patches import column_analysis, hardening
from dtale_magics.viewer.patches.store import default_store
from dtale_magics.viewer.readers import sources
from dtale_magics.viewer.show_options import ShowOptions
from dtale_magics.viewer.shown_frames import STAGING, ShownFrames, items
from dtale_magics.wording import as_word, count

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from flask import Flask

    from dtale_magics.serving.assets import Assets
    from dtale_magics.viewer.places import Place
    from dtale_magics.viewer.readers.source import Source


class Viewer:
    """D-Tale in this kernel.

    Parameters
    ----------
    base_url
        Returns the local URL that D-Tale's instances show, without a trailing slash.
    assets
        D-Tale's static files.
    """

    def __init__(self, base_url: Callable[[], str | None], assets: Assets) -> None:
        self._base_url = base_url
        self._lock = threading.RLock()
        self._apps = Apps(base_url, assets)
        self.shown = ShownFrames(base_url, self._lock)

    def app(self, root: str, prefix: str = "") -> Flask:
        """D-Tale's WSGI application for a public root; see `Apps.of`."""
        return self._apps.of(root, prefix)

    @property
    def loaded(self) -> bool:
        """Whether D-Tale is imported completely; another thread may be in the middle of it."""
        spec = getattr(dtale("app", load=False), "__spec__", None)
        return spec is not None and not getattr(spec, "_initializing", False)

    def forget_roots(self) -> None:
        """Drop the apps of every root: the roots have changed."""
        self._apps.forget()

    def show(  # noqa: PLR0913 (what can be asked for, by keyword)
        self,
        frame: Any,
        name: str,
        options: dict[str, Any],
        *,
        cell: Cell | None = None,
        anonymous: bool = False,
        reset: bool = False,
        kept_expressions: int = KEPT_EXPRESSIONS,
        progress: Callable[[int, int, str], None] | None = None,
        rows: int | None = None,
        typed: str = "",
        lazy_rows: int = LAZY_ROWS,
        data_id: str | None = None,
    ) -> Any:
        """Show `frame` as `name`, in place if an earlier run of the cell has shown it.

        Parameters
        ----------
        frame
            Anything that `sources` reads.
        name
            Variable or expression.
        options
            D-Tale's show options by keyword, only those that the user gave.
        cell
            The cell that shows it; with `name`, it identifies the frame, see `places`.
        anonymous
            Whether the frame can only be reached by the expression `name`.
        reset
            Whether to start afresh, without what the user did in earlier shows of it.
        kept_expressions
            How many anonymous frames are kept.
        progress
            See `column_analysis.followed`.
        rows, typed, lazy_rows
            See `sources.read`.
        data_id
            Id of the frame to replace, which keeps its place; by default, `name` and `cell` tell.

        Returns
        -------
        dtale.views.DtaleData
            D-Tale's handle on the frame.

        Raises
        ------
        FrameRefusedError
            When D-Tale cannot show it. Frames that were shown before stay as they were.
        """
        state, views = dtale("global_state"), dtale("views")
        cell = cell or Cell()
        places = self.shown.places
        source = sources.read(frame, name, rows, lazy_rows, typed=typed)
        with self._lock:
            places.keep_only(state.keys())
            if data_id is None:
                data_id, place = places.find(name, cell)
                place.anonymous = anonymous
            else:
                place = places.again(data_id)
                cell = place.cell
            place.origin = Origin.of(frame)
            former = None if data_id is None else state.get_data_inst(data_id)
            before = None if data_id is None else places[data_id]
            place.analysis = before.analysis if before else None
            loaded = self._load(source, options, place, None if reset else before, progress)
            _carry_over(former, before, loaded, place, None if reset else options)
            place.memory = memory_of(loaded.data)
            place.memory += memory_of(place.edited.data) if place.edited is not None else 0
            if data_id is None or former is None:
                title = _unambiguous(place.label, state)
                data_id = state.new_data_inst(instance=loaded)
                state.set_name(data_id, title)
            else:
                loaded.name = former.name
                state.new_data_inst(data_id, loaded)
            places.put(data_id, place)
            self.shown.drop_surplus(kept_expressions, cell, place)
        instance = views.DtaleData(data_id, self._base_url())
        if dtale("config").build_show_options(options).get("open_browser"):
            instance.open_browser()
        return instance

    def show_options(self) -> ShowOptions:
        """Read the show options that the installed D-Tale has."""
        app, views, config = dtale("app"), dtale("views"), dtale("config")
        names = {**config.build_show_options({}), hardening.ENABLE_HTML: False}
        documented = (app.show, views.startup, hardening.documented_options)
        return ShowOptions.read(names, documented)

    def _load(
        self,
        source: Source,
        options: dict[str, Any],
        place: Place,
        before: Place | None,
        progress: Callable[[int, int, str], None] | None,
    ) -> Any:
        """Have D-Tale analyse a frame under a temporary id, so that a failure leaves no trace."""
        state, views, config = dtale("global_state"), dtale("views"), dtale("config")
        name = place.name
        # Locked columns are moved to the front later, when their order in the frame is known.
        given = {key: value for key, value in options.items() if key != "open_browser"}
        if before is not None and before.layout is not None and before.layout.hides_empty:
            given.setdefault("auto_hide_empty_columns", True)
        accepted = inspect.signature(views.startup).parameters
        keywords = {
            key: value for key, value in config.build_show_options(given).items() if key in accepted
        }
        locked = keywords.pop("locked", None)
        try:
            with (
                substitutes.noted() as prepared,
                column_analysis.spared(views, place.analysis) as analysis,
                column_analysis.followed(views, progress),
                option_check.before_analysis(views, options, name),
            ):
                views.startup(self._base_url(), data=source.frame, data_id=STAGING, **keywords)
            loaded = state.get_data_inst(STAGING)
        except UsageError:
            raise
        except Exception as error:
            raise _refused(source.frame, name, error) from error
        finally:
            with contextlib.suppress(KeyError):  # a store need not have `pop`
                del default_store(state).store[STAGING]
        setattr(loaded, substitutes.INSTANTS, prepared[-1].instants)
        place.notes = sources.notes(place.label, source, prepared[-1].changes)
        place.analysis = analysis
        place.layout = layout.Layout.of(loaded, keywords)
        if locked:
            layout.arrange(loaded, place.layout, locked)
        if hardening.ENABLE_HTML in options:
            html = {hardening.ENABLE_HTML: options[hardening.ENABLE_HTML]}
            loaded.settings = {**loaded.settings, **html}
        return loaded


def _carry_over(
    former: Any, before: Place | None, loaded: Any, place: Place, options: dict[str, Any] | None
) -> None:
    """Give `loaded` what the user had set in `former`, and note in `place` what was lost.

    Without `options` it starts afresh, but lost edits are still reported.
    """
    if before is None:
        return
    notes = list(place.notes)
    replaced = layout.edits(former, before.layout)
    if replaced:
        place.edited = former
        notes.append(
            f"{count(replaced, 'edit')} made in the grid of {place.label} gave way to its value. "
            f"To get the edited frame: edited = %dtale --edited {as_word(place.label)}"
        )
    if options is not None:
        tools = carry_over.Tools(dtale("query"), dtale("views"), dtale("utils"))
        laid = (carry_over.Laid(former, before.layout), carry_over.Laid(loaded, place.layout))
        dropped = carry_over.carry_over_safely(*laid, options, tools)
        if dropped:
            notes.append(f"{place.label} is shown without {', '.join(dropped)}.")
    place.notes = tuple(notes)


def _refused(frame: Any, name: str, error: Exception) -> FrameRefusedError:
    rows, columns = frame.shape
    reason = str(error).partition("\n")[0] or type(error).__name__
    return FrameRefusedError(
        name,
        f"D-Tale cannot show {name} ({rows:,} rows, {columns:,} columns): {reason}",
        "Leave columns out to find the one that it is.",
    )


def _unambiguous(name: str, state: ModuleType) -> str:
    """Make a name for D-Tale whose URL form leads to this frame alone.

    D-Tale drops punctuation from names in URLs, so ``my_df`` and ``mydf`` would clash. It also
    looks up names before ids, so ``_1`` would hide frame 1.
    """
    taken = {state.convert_name_to_url_path(instance.name) for _, instance in items(state)}
    candidates = itertools.chain(
        [name, f"{name} frame"], (f"{name} frame {number}" for number in itertools.count(2))
    )
    for candidate in candidates:
        path = state.convert_name_to_url_path(candidate)
        if path not in taken and not path.replace("_", "").isdigit() and path.strip("_"):
            return candidate
    raise AssertionError  # the candidates never end
