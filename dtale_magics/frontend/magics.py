"""The magics: read a line, call the session, show what it says."""

from __future__ import annotations

import ast
import math
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from IPython.core.magic import (
    Magics,
    line_cell_magic,
    line_magic,
    magics_class,
    no_var_expand,
)
from IPython.display import display
from traitlets import Bool, Enum, Int, List, Unicode

from dtale_magics import session as sessions
from dtale_magics.errors import UsageError
from dtale_magics.frontend import cell as cells
from dtale_magics.frontend import commands, expression, front_end, suggestions
from dtale_magics.frontend.arguments import Arguments, parse
from dtale_magics.frontend.auto_show import AutoShow
from dtale_magics.frontend.options import DTALE, DTALE_PORT, OFF
from dtale_magics.frontend.progress import Analysis, Line, interrupted
from dtale_magics.frontend.running import running_cell
from dtale_magics.frontend.watching import Watching
from dtale_magics.frontend.words import named_by
from dtale_magics.settings import parse_port, parse_range
from dtale_magics.viewer.option_check import flag as flag_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import FrameType

    from IPython.core.interactiveshell import InteractiveShell

    from dtale_magics.frontend.cell import Cell
    from dtale_magics.frontend.commands import Answer
    from dtale_magics.frontend.expression import Expression, Scope
    from dtale_magics.frontend.options import Magic
    from dtale_magics.frontend.rewriting import Rewriting
    from dtale_magics.frontend.running import Busy
    from dtale_magics.frontend.shown import Shown
    from dtale_magics.session import Session
    from dtale_magics.state import FrameInfo


@dataclass
class _Task:
    """One ``%dtale``, between reading it and showing what it says.

    Attributes
    ----------
    arguments
        What was typed.
    scope
        Where.
    line
        Says what is waited for.
    expression
        What is to be shown; None if there is nothing to evaluate, and `result` is the answer.
    cell
        Of ``%%dtale``.
    result
        See `expression`.
    typed
        Whether a user typed it, and not ``--auto`` shows what a cell ends with.
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
        if self.cell is not None:
            return self.cell.is_async
        return self.expression is not None and expression.is_async(self.expression.code)


@magics_class
class DtaleMagics(Magics):
    """``%dtale`` and ``%dtale_port``, and the settings ``c.DtaleMagics.*``."""

    min_port = Int(
        None, min=1, max=65535, allow_none=True, help="First port to look at (DTALE_MIN_PORT)."
    ).tag(config=True)
    max_port = Int(
        None, min=1, max=65535, allow_none=True, help="Last port to look at (DTALE_MAX_PORT)."
    ).tag(config=True)
    ingress_port = Int(
        None, min=1, max=65535, allow_none=True, help="Port that the ingress exposes."
    ).tag(config=True)
    ingress_url = Unicode(
        None, allow_none=True, help="URL of the ingress port (DTALE_INGRESS_URL)."
    ).tag(config=True)
    proxy_url = Unicode(
        None,
        allow_none=True,
        help="Where a hosted notebook proxies a port, such as /studio/proxy/{port} "
        "(DTALE_PROXY_URL).",
    ).tag(config=True)
    open_access = Bool(
        None,
        allow_none=True,
        help="Whether D-Tale answers without the link, to whoever reaches the port: only for "
        "networks whose ingress itself asks for a sign-in (DTALE_OPEN_ACCESS).",
    ).tag(config=True)
    allowed_hosts = List(
        Unicode(),
        None,
        allow_none=True,
        help="Names under which the outside may ask, besides that of ingress_url; *. in front of "
        "one stands for every name below it (DTALE_ALLOWED_HOSTS).",
    ).tag(config=True)
    trusted_proxies = List(
        Unicode(),
        None,
        allow_none=True,
        help="Addresses and networks of proxies whose X-Forwarded-* headers are believed, by "
        "default loopback and private ones (DTALE_TRUSTED_PROXIES).",
    ).tag(config=True)
    kept_expressions = Int(
        5,
        min=1,
        help="How many expressions that no variable holds are kept in D-Tale; what the running "
        "cell shows does not count.",
    ).tag(config=True)
    large_cells = Int(
        5_000_000,
        min=0,
        help="From so many cells on, %dtale says that --sample shows a part of a frame.",
    ).tag(config=True)
    rows = Int(
        100_000,
        min=1,
        help="How many rows are shown of what is not in memory: lazy frames, queries, cursors.",
    ).tag(config=True)

    height = Int(
        475,
        min=150,
        max=5000,
        help="How tall a grid may become, in pixels; one with few rows is lower.",
    ).tag(config=True)
    preview = Int(
        5,
        min=0,
        max=1000,
        help="How many rows stay in saved and exported notebooks; 0 for none.",
    ).tag(config=True)
    theme = Enum(
        ["page", "light", "dark"],
        "page",
        help="Theme of the grids: that of the notebook's page, or always the same one. "
        "%dtale df --theme dark sets that of one grid.",
    ).tag(config=True)

    def __init__(
        self, shell: InteractiveShell, shown: Shown, rewriting: Rewriting, busy: Busy
    ) -> None:
        super().__init__(shell=shell, parent=shell)
        self.shown = shown
        self.rewriting = rewriting
        self.busy = busy
        self.session: Session = sessions.renew(self._settings)
        self.observe(lambda _: self.session.settings_changed(), self.trait_names(config=True))
        self._names = expression.Names()
        self.watching = Watching(shell, self.session, self._say)
        self.auto_show = AutoShow(shell, self._show_value, self._say)

    def _settings(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.trait_names(config=True)}

    @no_var_expand
    @line_cell_magic
    def dtale(self, line: str, cell: str | None = None) -> Any:
        """Show a frame in D-Tale."""
        __tracebackhide__ = True  # understood by IPython, here and below
        task = self._begin(line, cell, expression.frame_of_caller())
        if task.is_async:
            raise UsageError(
                "What is behind `await` cannot be waited for in here.",
                "Await it in a line of its own, and show the result: frame = await …",
            )
        if task.cell is not None:
            cells.run_body(task.cell, self._the_shell)
        if task.expression is None:
            return self._end(task)
        return self._show(task, task.scope.run(task.expression.code))

    dtale.__doc__ = DTALE.help()

    async def awaited(self, line: str, cell: str | None = None) -> Any:
        """Do the same where something is awaited; cells are rewritten so that they call this."""
        __tracebackhide__ = True
        task = self._begin(line, cell, sys._getframe().f_back)  # noqa: SLF001 (whoever awaits)
        if task.cell is not None:
            body = cells.run_body(task.cell, self._the_shell)
            if expression.is_async(task.cell.body):
                await body
        if task.expression is None:
            return self._end(task)
        value = task.scope.run(task.expression.code)
        return self._show(task, await value if expression.is_async(task.expression.code) else value)

    @line_magic
    def dtale_port(self, line: str) -> Any:
        """Show or set ports."""
        arguments = parse(line, DTALE_PORT)
        if arguments.wants_help:
            return self._say(DTALE_PORT.help())
        alone = _what_stands_alone(arguments, DTALE_PORT)
        answer = self._set_ports(arguments) if alone is None else alone(self)
        return self._answer(answer, silent=arguments.silent)

    dtale_port.__doc__ = DTALE_PORT.help()

    def _begin(self, line: str, cell: str | None, frame: FrameType | None) -> _Task:
        """Read what was typed, and do it if there is nothing to evaluate."""
        __tracebackhide__ = True
        self.session.tidy(running_cell(self._the_shell))
        scope = expression.scope_of(None if cell is not None else frame, self._the_shell)
        waiting = Line(self.session, in_browser=self._in_browser)
        arguments = parse(line, DTALE, lambda: waiting.loaded().show_options(), scope.__getitem__)
        task = _Task(arguments, scope, waiting)
        if arguments.wants_help:
            options = self.session.show_options() if self._knows_dtale else None
            self._say(DTALE.help("" if options is None else options.summary()))
            return task
        alone = _what_stands_alone(arguments, DTALE)
        if arguments.flags.get("--watch") == OFF:
            _check_no_more(arguments, "--watch off")
            answer = self.watching.off(_normal_form(arguments.expression))
            task.result = self._answer(answer, silent=arguments.silent)
        elif alone is not None and cell is None:
            task.result = self._answer(alone(self), silent=arguments.silent)
        elif alone is not None:
            first = next(iter(arguments.flags))
            raise UsageError(f"{first} stands alone, without a cell.", f"Type: %dtale {first}")
        elif cell is not None:
            _check_no_expression(arguments)
            task.cell = cells.read(cell, self._the_shell)
            task.expression = task.cell.last
        elif arguments.expression:
            task.expression = self._read(task)
        else:
            _check_no_options(arguments, line, expression.frames_in(scope.visible()))
            self._show_panel(waiting)
        return task

    def _end(self, task: _Task) -> Any:
        """End a line or a cell in which there was nothing to evaluate."""
        if task.cell is not None:
            self._say(cells.nothing_to_show(task.cell))
        return task.result

    def _read(self, task: _Task) -> Expression:
        """Compile what was typed, or say what may have been meant."""
        __tracebackhide__ = True
        typed = named_by(task.arguments.expression, task.scope.__getitem__)
        options = self.session.show_options() if self._knows_dtale else None
        try:
            found = expression.read(typed, self._the_shell)
        except UsageError as error:
            bare = suggestions.bare_option(typed, DTALE)
            if bare:
                error.hint = f"Did you mean {bare}?"
            raise suggestions.single_dash(typed, DTALE, options) or error from None
        meant = suggestions.single_dash(typed, DTALE, options, task.scope)
        if meant is not None:
            raise meant
        bare = suggestions.bare_option(found.variable or "", DTALE)
        known = task.scope.visible() if bare else task.scope  # Python's `list` is no frame
        if found.variable is not None and found.variable not in known:
            frames = expression.frames_in(task.scope.visible())
            shown = [frame.name for frame in self.session.frames()]
            raise expression.no_variable(found.variable, frames, shown, bare)
        return found

    def _show(self, task: _Task, value: Any) -> Any:
        """Show `value`, what was typed evaluated."""
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
            self.watching.check(task.expression, task.scope)
        rows, whole, note = given.pop("sample", None), value, ""
        if rows is not None:
            value, note = _sampled(value, rows, name)
        try:
            self.session.settings()  # a wrong one shows before D-Tale is loaded for nothing
            task.line.loaded()
            if port is not None:
                self.session.ensure(port, force=force)
            with Analysis(task.line, name, self._hint_for_large(value)) as analysis:
                instance, shown = self.session.show(
                    value,
                    options=task.arguments.show_options,
                    cell=running_cell(self._the_shell),
                    anonymous=anonymous,
                    progress=analysis.column,
                    typed=typed,
                    **given,
                )
        except KeyboardInterrupt:
            task.line.clear()
            before = any(frame.name == name for frame in self.session.frames())
            raise interrupted(name, shown_before=before) from None
        except BaseException:
            task.line.clear()
            raise
        if watch:
            self.watching.watch(
                shown,
                task.expression,
                whole,
                part=lambda now: now if rows is None else _sampled(now, rows, name)[0],
                rows=given.get("rows"),
                options=task.arguments.show_options,
            )
        elif task.typed:
            self.watching.forget(shown)
        for said in filter(None, [note, *shown.notes]):
            self._say(said)
        self._show_panel(task.line, shown, instance, height)
        self.shown.note(instance)
        return None if task.arguments.silent else instance

    def _show_value(self, value: Any, typed: str) -> None:
        """Show the value of a cell, as if ``%dtale`` stood before its last expression."""
        tree = ast.parse(typed, mode="eval")
        task = _Task(
            Arguments(typed, silent=True),
            expression.scope_of(None, self._the_shell),
            Line(self.session, in_browser=self._in_browser),
            expression.compiled(tree, "<cell>", self._the_shell),
            typed=False,
        )
        self._show(task, value)

    def _hint_for_large(self, value: Any) -> str:
        shape = getattr(value, "shape", None)
        if not isinstance(shape, tuple) or not all(isinstance(one, int) for one in shape):
            return ""
        if math.prod(shape) < self.large_cells or not self.large_cells:
            return ""
        return "A random part of it is quicker to show: --sample 100000"

    def _set_ports(self, arguments: Arguments) -> Answer:
        words = arguments.words
        meant = suggestions.single_dash(arguments.expression, DTALE_PORT, None)
        if meant is not None:
            raise meant
        bare = suggestions.bare_option(arguments.expression, DTALE_PORT)
        if bare:
            raise UsageError(f"{words[0]!r} is no port.", f"Did you mean {bare}?")
        if len(words) == 1 and "-" not in words[0]:
            port = parse_port(words[0], "port")
            if "--force" in arguments.flags:
                return commands.takeover(self.session.take_over(port))
            self.session.bind(port)
        elif "--force" in arguments.flags:
            raise UsageError("--force needs a port.", "Type for example: %dtale_port 40000 --force")
        elif words:
            self.session.set_range(parse_range(words))
        return commands.ports(self.session)

    @property
    def _the_shell(self) -> InteractiveShell:
        assert self.shell is not None
        return self.shell

    @property
    def _knows_dtale(self) -> bool:
        """Whether D-Tale's own options can be told without waiting for its import."""
        return self.session.loaded

    @property
    def _in_browser(self) -> bool:
        return not front_end.is_console(self.shell)

    def _say(
        self,
        text: str,
        in_terminal: str = "",
        follow: Callable[[Callable[[str], None]], None] | None = None,
    ) -> None:
        if not self._in_browser:
            if follow is not None:
                said = [text]
                follow(said.append)
                text = said[-1]
            print("\n".join(filter(None, [text, in_terminal])))  # noqa: T201 (a terminal)
            return
        from dtale_magics.frontend.display import Text  # noqa: PLC0415 (not at %load_ext)

        handle = display(Text(text), display_id=True)
        if follow is not None:
            follow(lambda text: handle.update(Text(text)))

    def _show_panel(
        self,
        waiting: Line,
        frame: FrameInfo | None = None,
        instance: Any = None,
        height: int | None = None,
    ) -> None:
        """Show the panel, above the grid of `frame` if there is one; in a terminal, text."""
        if not self._in_browser:
            from dtale_magics.frontend import display as words  # noqa: PLC0415 (not at %load_ext)

            if frame is None:
                waiting.replace(words.status_text(self.session.status()))
            else:
                waiting.replace(words.frame_link(frame, self.session.public_url))
            return
        from dtale_magics.frontend import panel  # noqa: PLC0415 (ipywidgets, not at %load_ext)

        shown = panel.of(self.session, frame)
        if instance is not None:
            shown.follow(instance)
        if height is not None:
            shown.resize(height=height)
        shown.show(waiting.replace)

    def _answer(self, answer: Answer, *, silent: bool) -> Any:
        """Show the words of an answer, and give its value to the user's code."""
        if answer.text:
            self._say(answer.text, answer.in_terminal, answer.follow)
            self.shown.note(answer.value)
        return None if silent else answer.value


def _what_stands_alone(
    arguments: Arguments, magic: Magic
) -> Callable[[DtaleMagics], Answer] | None:
    """Return what an option does that stands alone; refuse a line that asks for two things."""
    for flag, value in arguments.flags.items():
        answer, given = magic.options[flag].answer, magic.options[flag].given
        if answer is not None:
            others = [
                *arguments.words,
                *(other for other in arguments.flags if other != flag),
                *map(flag_of, arguments.show_options),
            ]
            if others:
                raise UsageError(
                    f"{flag} stands alone, without {others[0]}.", f"{magic.name} -h lists all."
                )
            return lambda magics: answer(getattr(magics, given), value)
    return None


def _sampled(value: Any, rows: int, name: str) -> tuple[Any, str]:
    """Take a sample of `value`, and say so where it has more rows."""
    from dtale_magics.viewer.frames import sampling  # noqa: PLC0415 (not at %load_ext)

    part, total = sampling.sample(value, rows)
    said = f"{name}: a random sample of {rows:,} of {total:,} rows." if total > rows else ""
    return part, said


def _check_no_more(arguments: Arguments, option: str) -> None:
    others = [one for one in (*arguments.flags, *arguments.show_options) if one != "--watch"]
    if others:
        raise UsageError(
            f"{option} shows nothing, and goes with no {others[0]}.", f"Type: %dtale df {option}"
        )


def _normal_form(typed: str) -> str:
    """Write an expression as it is named; what is no Python stays as it was typed."""
    try:
        return ast.unparse(ast.parse(typed, mode="eval"))
    except (SyntaxError, ValueError):
        return typed


def _check_no_expression(arguments: Arguments) -> None:
    if arguments.expression:
        raise UsageError(
            f"%%dtale takes options and no expression, not {arguments.expression!r}.",
            "What it shows is the expression on the last line of the cell.",
        )


def _check_no_options(arguments: Arguments, line: str, frames: Sequence[str]) -> None:
    given = [*arguments.flags, *map(flag_of, arguments.show_options)]
    if given:
        frame = "df" if "df" in frames or not frames else frames[0]
        hint = f"Type for example: %dtale {frame} {line.strip()}"
        if given == ["--port"]:
            hint += f"   or, to show none: %dtale_port {arguments.flags['--port']}"
        raise UsageError(f"{given[0]} needs a frame.", hint)
