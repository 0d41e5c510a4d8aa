"""``%dtale --auto on``: D-Tale shows every frame that a cell ends with.

No formatter is replaced, whoever registered it: IPython's display hook asks here first, and only
for the value of a cell. What code displays explicitly is displayed as usual.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from dtale_magics.errors import DtaleMagicsError
from dtale_magics.frontend.typed.commands import Answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from IPython.core.interactiveshell import InteractiveShell

_HOOKED = "compute_format_data"
"""The method of IPython's display hook that turns a value into what is shown."""

_LIBRARIES = frozenset({"pandas", "polars", "pyarrow", "modin", "cudf", "narwhals"})


class AutoShow:
    """Shows the frames that cells end with, while it is on.

    Parameters
    ----------
    shell
        Runs the cells.
    show
        Shows a value in D-Tale; it also gets the expression.
    say
        Shows words below the cell.
    """

    def __init__(
        self,
        shell: InteractiveShell,
        show: Callable[[Any, str], None],
        say: Callable[[str], None],
    ) -> None:
        self._shell = shell
        self._show = show
        self._say = say
        self._former: Any = None
        self._replaces = False

    @property
    def is_on(self) -> bool:
        """Whether frames are shown."""
        return vars(self._shell.displayhook).get(_HOOKED) == self._format

    def switch(self, *, on: bool) -> Answer:
        """Switch it on or off, and say what holds now."""
        if on:
            self.install()
            return Answer(
                "A frame that a cell ends with is shown by D-Tale from now on; "
                "a ; behind it shows nothing, and display(df) the table. To end that: "
                "%dtale --auto off"
            )
        self.uninstall()
        return Answer("Frames that a cell ends with are shown as tables again.")

    def install(self) -> None:
        """Install the hook, to be asked before IPython shows the value of a cell."""
        if self.is_on:
            return
        hook = self._shell.displayhook
        self._replaces = _HOOKED in vars(hook)  # somebody else's, as ours
        self._former = getattr(hook, _HOOKED)
        setattr(hook, _HOOKED, self._format)

    def uninstall(self) -> None:
        """Remove the hook, unless somebody else has replaced it."""
        if not self.is_on:
            return
        hook = self._shell.displayhook
        if self._replaces:
            setattr(hook, _HOOKED, self._former)
        else:
            delattr(hook, _HOOKED)

    def _format(self, value: Any) -> Any:
        if not is_frame(value):
            return self._former(value)
        try:
            self._show(value, self._typed(value))
        except DtaleMagicsError as error:
            self._say(f"Not shown by D-Tale: {error.what}")
            return self._former(value)
        return {}, {}  # it is shown

    def _typed(self, value: Any) -> str:
        """Return the expression that `value` is the value of."""
        hook = self._shell.displayhook
        cell = "" if hook.exec_result is None else hook.exec_result.info.raw_cell
        try:
            body = ast.parse(self._shell.transform_cell(cell)).body
        except (SyntaxError, ValueError):
            body = []
        typed = [
            ast.unparse(one.value if isinstance(one, ast.Expr) else one.targets[-1])
            for one in body
            if isinstance(one, ast.Expr | ast.Assign)
        ]
        # IPython can be configured to show the values of all lines, and of assignments.
        known = [one for one in typed if self._shell.user_ns.get(one) is value]
        if known:
            return known[-1]
        last = body[-1:] and isinstance(body[-1], ast.Expr) and not typed[-1].isidentifier()
        return typed[-1] if last else f"_{hook.prompt_count}"


def is_frame(value: Any) -> bool:
    """Whether a value is a frame in memory, of any library."""
    roots = {kind.__module__.partition(".")[0] for kind in type(value).__mro__}
    if roots.isdisjoint(_LIBRARIES):
        return False
    import narwhals as nw

    return isinstance(nw.from_native(value, pass_through=True), nw.DataFrame)
