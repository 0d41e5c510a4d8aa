"""The magics: read a line, call the session, show what it says."""

from __future__ import annotations

import ast
import sys
from typing import TYPE_CHECKING, Any

from IPython.core.magic import line_cell_magic, line_magic, magics_class, no_var_expand

from dtale_magics import session as sessions
from dtale_magics.errors import UsageError
from dtale_magics.frontend.auto_show import AutoShow
from dtale_magics.frontend.output import Output
from dtale_magics.frontend.showing import Showing, Task
from dtale_magics.frontend.traits import Configured
from dtale_magics.frontend.typed import cell as cells
from dtale_magics.frontend.typed import commands, expression, suggestions
from dtale_magics.frontend.typed.arguments import parse
from dtale_magics.frontend.typed.options import DTALE, DTALE_PORT, OFF
from dtale_magics.frontend.typed.running import running_cell
from dtale_magics.frontend.typed.words import named_by
from dtale_magics.frontend.watching import Watching
from dtale_magics.settings import parse_port, parse_range
from dtale_magics.viewer.option_check import flag as flag_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import FrameType

    from IPython.core.interactiveshell import InteractiveShell

    from dtale_magics.frontend.shown import Shown
    from dtale_magics.frontend.typed.arguments import Arguments
    from dtale_magics.frontend.typed.commands import Answer
    from dtale_magics.frontend.typed.expression import Expression
    from dtale_magics.frontend.typed.options import Magic
    from dtale_magics.frontend.typed.rewriting import Rewriting
    from dtale_magics.frontend.typed.running import Busy
    from dtale_magics.session import Session


@magics_class
class DtaleMagics(Configured):
    """``%dtale`` and ``%dtale_port``, and the settings ``c.DtaleMagics.*``."""

    def __init__(
        self, shell: InteractiveShell, shown: Shown, rewriting: Rewriting, busy: Busy
    ) -> None:
        super().__init__(shell=shell, parent=shell)
        self.shown = shown
        self.rewriting = rewriting
        self.busy = busy
        self.session: Session = sessions.renew(self.values)
        self.observe(lambda _: self.session.settings_changed(), self.trait_names(config=True))
        self.output = Output(shell, self.session, shown)
        self.watching = Watching(shell, self.session, self.output.say)
        self._showing = Showing(shell, self.session, self.output, self.watching)
        self.auto_show = AutoShow(shell, self._showing.show_value, self.output.say)

    @no_var_expand
    @line_cell_magic
    def dtale(self, line: str, cell: str | None = None) -> Any:
        """Show a frame in D-Tale."""
        __tracebackhide__ = True  # understood by IPython, here and below
        task = self._begin(line, cell, expression.frame_of_caller())
        if task.is_async:
            raise UsageError(
                "What follows `await` cannot be awaited here.",
                "Await it in a line of its own, and show the result: frame = await …",
            )
        if task.cell is not None:
            cells.run_body(task.cell, self._the_shell)
        if task.expression is None:
            return self._end(task)
        return self._showing.show(task, task.scope.run(task.expression.code))

    dtale.__doc__ = DTALE.help()

    async def awaited(self, line: str, cell: str | None = None) -> Any:
        """Do the same as `dtale` and await values; rewritten cells call this (see `rewriting`)."""
        __tracebackhide__ = True
        task = self._begin(line, cell, sys._getframe().f_back)  # noqa: SLF001 (whoever awaits)
        if task.cell is not None:
            body = cells.run_body(task.cell, self._the_shell)
            if expression.is_async(task.cell.body):
                await body
        if task.expression is None:
            return self._end(task)
        value = task.scope.run(task.expression.code)
        return self._showing.show(
            task, await value if expression.is_async(task.expression.code) else value
        )

    @line_magic
    def dtale_port(self, line: str) -> Any:
        """Show or set ports."""
        arguments = parse(line, DTALE_PORT)
        if arguments.wants_help:
            return self.output.say(DTALE_PORT.help())
        alone = _what_stands_alone(arguments, DTALE_PORT)
        answer = self._set_ports(arguments) if alone is None else alone(self)
        return self.output.answer(answer, silent=arguments.silent)

    dtale_port.__doc__ = DTALE_PORT.help()

    def _begin(self, line: str, cell: str | None, frame: FrameType | None) -> Task:
        """Read what was typed, and do it at once if there is nothing to evaluate."""
        __tracebackhide__ = True
        self.session.frames.tidy(running_cell(self._the_shell))
        scope = expression.scope_of(None if cell is not None else frame, self._the_shell)
        waiting = self.output.line()
        arguments = parse(line, DTALE, waiting.options, scope.__getitem__)
        task = Task(arguments, scope, waiting)
        if arguments.wants_help:
            options = self.session.frames.options() if self._knows_dtale else None
            self.output.say(DTALE.help("" if options is None else options.summary()))
            return task
        alone = _what_stands_alone(arguments, DTALE)
        if arguments.flags.get("--watch") == OFF:
            _check_no_more(arguments, "--watch off")
            answer = self.watching.off(_normal_form(arguments.expression))
            task.result = self.output.answer(answer, silent=arguments.silent)
        elif alone is not None and cell is None:
            task.result = self.output.answer(alone(self), silent=arguments.silent)
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
            self.output.panel(waiting)
        return task

    def _end(self, task: Task) -> Any:
        """End a line or a cell in which there was nothing to evaluate."""
        if task.cell is not None:
            self.output.say(cells.nothing_to_show(task.cell))
        return task.result

    def _read(self, task: Task) -> Expression:
        """Compile what was typed, or raise an error that says what may have been meant."""
        __tracebackhide__ = True
        typed = named_by(task.arguments.expression, task.scope.__getitem__)
        options = self.session.frames.options() if self._knows_dtale else None
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
            shown = [frame.name for frame in self.session.frames.all()]
            raise expression.no_variable(found.variable, frames, shown, bare)
        return found

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
        """Whether D-Tale's own options are known without waiting for its import."""
        return self.session.loaded


def _what_stands_alone(
    arguments: Arguments, magic: Magic
) -> Callable[[DtaleMagics], Answer] | None:
    """Return the action of an option that stands alone; refuse a line that asks for two things."""
    flags, options = arguments.flags, magic.options
    for flag, value in flags.items():
        option = options[flag]
        answer, given = option.answer, option.given
        if option.goes_with in flags:
            continue
        if answer is not None:
            more = {
                options[other].keyword: one
                for other, one in flags.items()
                if options[other].goes_with == flag
            }
            others = [
                *arguments.words,
                *(one for one in flags if one != flag and options[one].goes_with != flag),
                *map(flag_of, arguments.show_options),
            ]
            if others:
                raise UsageError(
                    f"{flag} stands alone, without {others[0]}.", f"{magic.name} -h lists all."
                )
            return lambda magics: answer(getattr(magics, given), value, **more)
        if option.goes_with:
            raise UsageError(
                f"{flag} goes with {option.goes_with}.", f"Type for example: {option.for_example}"
            )
    return None


def _check_no_more(arguments: Arguments, option: str) -> None:
    others = [one for one in (*arguments.flags, *arguments.show_options) if one != "--watch"]
    if others:
        raise UsageError(
            f"{option} shows nothing, and goes with no {others[0]}.", f"Type: %dtale df {option}"
        )


def _normal_form(typed: str) -> str:
    """Write an expression in its normal form; anything that is not Python stays as typed."""
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
