"""One ``%dtale df``: show the value of an expression, and say what there is to say about it."""

from __future__ import annotations

import ast
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dtale_magics.frontend.progress import Analysis, interrupted
from dtale_magics.frontend.typed import cell as cells
from dtale_magics.frontend.typed import expression, suggestions
from dtale_magics.frontend.typed.arguments import Arguments
from dtale_magics.frontend.typed.options import DTALE
from dtale_magics.frontend.typed.running import running_cell

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from dtale_magics.frontend.output import Output
    from dtale_magics.frontend.progress import Line
    from dtale_magics.frontend.typed.cell import Cell
    from dtale_magics.frontend.typed.expression import Expression, Scope
    from dtale_magics.frontend.watching import Watching
    from dtale_magics.session import Session


@dataclass
class Task:
    """One ``%dtale``, between reading it and showing its result.

    Attributes
    ----------
    arguments
        What was typed.
    scope
        Where it was typed.
    line
        Says what is being waited for.
    expression
        What to show; None if there is nothing to evaluate: then `result` is the answer.
    cell
        The cell below ``%%dtale``.
    result
        See `expression`.
    typed
        Whether a user typed it; False if ``--auto`` shows what a cell ends with.
    """

    arguments: Arguments
    scope: Scope
    line: Line
    expression: Expression | None = None
    cell: Cell | None = None
    result: Any = None
    typed: bool = True

    @property
    def is_async(self) -> bool:
        """Whether it has to await something."""
        if self.cell is not None:
            return self.cell.is_async
        return self.expression is not None and expression.is_async(self.expression.code)


class Showing:
    """Shows values in D-Tale.

    Parameters
    ----------
    shell
        Runs the cells that show them.
    session
        This kernel's session.
    output
        Shows the panel and notes.
    watching
        Follows the frames that ``--watch`` asks for.
    """

    def __init__(
        self, shell: InteractiveShell, session: Session, output: Output, watching: Watching
    ) -> None:
        self._shell = shell
        self._session = session
        self._output = output
        self._watching = watching
        self._names = expression.Names()

    def show(self, task: Task, value: Any) -> Any:
        """Show `value`, the result of what was typed."""
        __tracebackhide__ = True
        assert task.expression is not None
        given = {DTALE.options[flag].keyword: one for flag, one in task.arguments.flags.items()}
        port, force = given.pop("port", None), given.pop("force", False)
        height = given.pop("height", None)
        name = cells.name_of(task.expression) if task.cell else task.expression.normal_form
        anonymous = "name" not in given and not expression.is_reference(name)
        name = given.setdefault("name", self._names.of(name))
        typed = task.expression.normal_form
        expression.refuse_several(value, name, typed)
        suggestions.refuse_name(value, name, typed, task.scope.visible())
        watch = given.pop("watch", False)
        if watch:
            self._watching.check(task.expression, task.scope)
        rows, whole, note = given.pop("sample", None), value, ""
        if rows is not None:
            value, note = _sampled(value, rows, name)
        try:
            self._session.settings()  # report a wrong setting before D-Tale is loaded in vain
            task.line.load()
            if port is not None:
                self._session.ensure(port, force=force)
            with Analysis(task.line, name, self._hint_for_large(value)) as analysis:
                instance, shown = self._session.frames.show(
                    value,
                    options=task.arguments.show_options,
                    cell=running_cell(self._shell),
                    anonymous=anonymous,
                    progress=analysis.column,
                    typed=typed,
                    **given,
                )
        except KeyboardInterrupt:
            task.line.clear()
            before = any(frame.name == name for frame in self._session.frames.all())
            raise interrupted(name, shown_before=before) from None
        except BaseException:
            task.line.clear()
            raise
        if watch:
            self._watching.watch(
                shown,
                task.expression,
                whole,
                part=lambda now: now if rows is None else _sampled(now, rows, name)[0],
                rows=given.get("rows"),
                options=task.arguments.show_options,
            )
        elif task.typed:
            self._watching.forget(shown)
        for said in filter(None, [note, *shown.notes]):
            self._output.say(said)
        self._output.frame(task.line, shown, instance, height)
        return None if task.arguments.silent else instance

    def show_value(self, value: Any, typed: str) -> None:
        """Show the value of a cell, as if ``%dtale`` stood before its last expression."""
        tree = ast.parse(typed, mode="eval")
        task = Task(
            Arguments(typed, silent=True),
            expression.scope_of(None, self._shell),
            self._output.line(),
            expression.compiled(tree, "<cell>", self._shell),
            typed=False,
        )
        self.show(task, value)

    def _hint_for_large(self, value: Any) -> str:
        shape = getattr(value, "shape", None)
        if not isinstance(shape, tuple) or not all(isinstance(one, int) for one in shape):
            return ""
        large = self._session.option("large_cells")
        if not large or math.prod(shape) < large:
            return ""
        return "A random part of it is quicker to show: --sample 100000"


def _sampled(value: Any, rows: int, name: str) -> tuple[Any, str]:
    """Take a sample of `value`, and say so if it has more rows."""
    from dtale_magics.viewer.readers import sampling

    part, total = sampling.sample(value, rows)
    said = f"{name}: a random sample of {rows:,} of {total:,} rows." if total > rows else ""
    return part, said
