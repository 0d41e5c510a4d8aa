"""The magics: parse a line, call the session, show what it says."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from IPython.core.magic import Magics, line_magic, magics_class, no_var_expand
from IPython.display import display
from traitlets import Bool, Int, List, Unicode

from dtale_magics import session as sessions
from dtale_magics.errors import UsageError
from dtale_magics.frontend import commands, expression
from dtale_magics.frontend.arguments import Arguments, named_by, parse
from dtale_magics.frontend.options import DTALE, DTALE_PORT
from dtale_magics.settings import parse_port, parse_range

if TYPE_CHECKING:
    from collections.abc import Callable

    from IPython.core.interactiveshell import InteractiveShell

    from dtale_magics.frontend.commands import Answer
    from dtale_magics.frontend.expression import Scope
    from dtale_magics.frontend.options import Magic
    from dtale_magics.session import Session
    from dtale_magics.state import FrameInfo

_NAME = "dtale_magics"


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
        help="Names under which the outside may ask, besides that of ingress_url "
        "(DTALE_ALLOWED_HOSTS).",
    ).tag(config=True)
    trusted_proxies = List(
        Unicode(),
        None,
        allow_none=True,
        help="Addresses and networks of proxies whose X-Forwarded-* headers are believed, by "
        "default loopback and private ones (DTALE_TRUSTED_PROXIES).",
    ).tag(config=True)

    rows = Int(
        100_000,
        min=1,
        help="How many rows are shown of what is not in memory: lazy frames, queries, cursors.",
    ).tag(config=True)

    def __init__(self, shell: InteractiveShell) -> None:
        super().__init__(shell=shell, parent=shell)
        self.session: Session = sessions.renew(self._settings)
        self.observe(lambda _: self.session.settings_changed(), self.trait_names(config=True))

    def _settings(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.trait_names(config=True)}

    @no_var_expand
    @line_magic
    def dtale(self, line: str) -> Any:
        """Show a frame in D-Tale."""
        __tracebackhide__ = True
        scope = expression.scope_of_caller(self._the_shell)
        waiting = _Waiting(self.session)
        arguments = parse(line, DTALE, lambda: waiting.loaded().show_options(), scope.__getitem__)
        if arguments.wants_help:
            return self._say(DTALE.help())
        alone = _what_stands_alone(arguments, DTALE)
        if alone is not None:
            return self._answer(alone(self.session), silent=arguments.silent)
        if not arguments.expression:
            _check_no_options(arguments)
            return self._show_panel(waiting)
        instance = self._show(arguments, scope, waiting)
        return None if arguments.silent else instance

    dtale.__doc__ = DTALE.help()

    @line_magic
    def dtale_port(self, line: str) -> Any:
        """Show or set ports."""
        arguments = parse(line, DTALE_PORT)
        if arguments.wants_help:
            return self._say(DTALE_PORT.help())
        alone = _what_stands_alone(arguments, DTALE_PORT)
        answer = self._set_ports(arguments) if alone is None else alone(self.session)
        return self._answer(answer, silent=arguments.silent)

    dtale_port.__doc__ = DTALE_PORT.help()

    def _set_ports(self, arguments: Arguments) -> Answer:
        words = arguments.words
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

    def _show(self, arguments: Arguments, scope: Scope, waiting: _Waiting) -> Any:
        __tracebackhide__ = True
        given = {DTALE.options[flag].keyword: value for flag, value in arguments.flags.items()}
        port, force = given.pop("port", None), given.pop("force", False)
        typed = named_by(arguments.expression, scope.__getitem__)
        frame, name = self._evaluate(typed, scope)
        waiting.loaded()
        if port is not None:
            self.session.ensure(port, force=force)
        given.setdefault("name", name)
        instance, shown = self.session.show(frame, options=arguments.show_options, **given)
        self._show_panel(waiting, shown)
        for note in shown.notes:
            self._say(note)
        _hide_once(instance)
        return instance

    def _evaluate(self, typed: str, scope: Scope) -> tuple[Any, str]:
        """Evaluate where it was typed; what it raises is the user's own error."""
        __tracebackhide__ = True
        found = expression.read(typed, self._the_shell)
        if found.name is not None and found.name not in scope:
            near = expression.frames_in(self._the_shell)
            raise expression.no_variable(
                found.name, near, [frame.name for frame in self.session.frames()]
            )
        return scope.evaluate(found.code), found.normal_form

    @property
    def _in_browser(self) -> bool:
        return hasattr(self.shell, "kernel")

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

    def _show_panel(self, waiting: _Waiting, frame: FrameInfo | None = None) -> None:
        """Show the panel, above the grid of `frame` if there is one; in a terminal, text."""
        if not self._in_browser:
            from dtale_magics.frontend.display import status_text  # noqa: PLC0415 (not at %load_ext)

            text = f"{frame}  {frame.url}" if frame else status_text(self.session.status())
            waiting.replace(text)
            return
        from dtale_magics.frontend import panel  # noqa: PLC0415 (ipywidgets, not at %load_ext)

        shown = panel.of(self.session, frame)
        waiting.replace(shown.live)
        display(shown.static)

    def _answer(self, answer: Answer, *, silent: bool) -> Any:
        """Show the words of an answer, and give its value to the user's code."""
        if answer.text:
            self._say(answer.text, answer.in_terminal, answer.follow)
        return None if silent else answer.value


class _Waiting:
    """A line of progress while D-Tale is imported, which the result replaces."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._handle: Any = None

    def loaded(self) -> Session:
        """Wait until D-Tale is there, and say so if that takes time."""
        if self._session.loading and self._handle is None:
            from dtale_magics.frontend.display import Text  # noqa: PLC0415 (not at %load_ext)

            text = Text("Loading D-Tale, some seconds, once for each kernel …")
            self._handle = display(text, display_id=True)
        self._session.wait_until_loaded()
        return self._session

    def replace(self, result: object) -> None:
        """Show `result` in place of the progress."""
        if isinstance(result, str):
            print(result)  # noqa: T201 (a terminal)
        elif self._handle is None:
            display(result)
        else:
            self._handle.update(result)


def load(shell: InteractiveShell) -> None:
    """Register magics, settings and completion in `shell`."""
    from dtale_magics.frontend import completion  # noqa: PLC0415 (knows the magics' flags)

    unload(shell)
    magics = DtaleMagics(shell)
    shell.register_magics(magics)
    shell.configurables.append(magics)  # type: ignore[arg-type] # so that %config knows it
    completion.install(shell, magics.session)
    magics.session.open()


def unload(shell: InteractiveShell) -> None:
    """Remove what `load` set and free the ports."""
    from dtale_magics.frontend import completion  # noqa: PLC0415 (knows the magics' flags)

    magics = shell.magics_manager.registry.pop(DtaleMagics.__name__, None)
    if magics is None:
        return
    for name in DtaleMagics.magics["line"]:
        shell.magics_manager.magics["line"].pop(name, None)
    shell.configurables.remove(magics)
    completion.uninstall(shell)
    if "dtale_magics.frontend.controller" in sys.modules:
        from dtale_magics.frontend import controller  # noqa: PLC0415 (only if there are panels)

        controller.retire(magics.session)
    magics.session.close()


def _what_stands_alone(arguments: Arguments, magic: Magic) -> Callable[[Session], Answer] | None:
    """Return what an option does that stands alone; refuse a line that asks for two things."""
    for flag, value in arguments.flags.items():
        answer = magic.options[flag].answer
        if answer is not None:
            others = [
                *arguments.words,
                *(other for other in arguments.flags if other != flag),
                *arguments.show_options,
            ]
            if others:
                raise UsageError(
                    f"{flag} stands alone, without {others[0]}.", f"{magic.name} -h lists all."
                )
            return lambda session: answer(session, value)
    return None


def _hide_once(instance: Any) -> None:
    """Keep IPython from showing `instance`, the value of the cell, below its own grid."""

    def show_nothing() -> None:
        del instance._ipython_display_

    instance._ipython_display_ = show_nothing


def _check_no_options(arguments: Arguments) -> None:
    given = [*arguments.flags, *arguments.show_options]
    if given:
        raise UsageError(f"{given[0]} needs a frame.", f"Type for example: %dtale df {given[0]}")
