"""The magics: parse a line, call the session, show what it says."""

from __future__ import annotations

import builtins
import difflib
import sys
from typing import TYPE_CHECKING, Any

from IPython.core.magic import Magics, line_magic, magics_class
from IPython.display import display
from traitlets import Bool, Int, List, Unicode

from dtale_magics import session as sessions
from dtale_magics.errors import UsageError
from dtale_magics.frontend.arguments import Arguments, parse
from dtale_magics.settings import parse_port, parse_range

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from dtale_magics.outcome import Outcome
    from dtale_magics.session import Session
    from dtale_magics.state import FrameInfo

DTALE_FLAGS = {
    "--port": "40000",
    "--force": None,
    "--list": None,
    "--stop": None,
    "--drop": "NAME",
    "--new-link": None,
}
PORT_FLAGS = {
    "--force": None,
    "--take": None,
    "--release": None,
    "--reset": None,
    "--check": None,
}

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

    def __init__(self, shell: InteractiveShell) -> None:
        super().__init__(shell=shell, parent=shell)
        self.session: Session = sessions.renew(self._settings)
        self.observe(lambda _: self.session.settings_changed(), self.trait_names(config=True))

    def _settings(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.trait_names(config=True)}

    @line_magic
    def dtale(self, line: str) -> Any:
        """Show a frame in D-Tale, on a port that is this notebook's alone.

        %dtale                      what this notebook's D-Tale is doing
        %dtale df                   show df; run again to update it in place, filters stay
        %dtale df.query("a > 1")    any expression
        %dtale df --port 40005      on that port
        %dtale df --port 40000 --force
                                    on that port, taken over from another notebook, which keeps
                                    its frames and goes on at another port
        %dtale df --theme dark --hide-columns a,b --sort a:DESC
                                    with D-Tale's own show options
        inst = %dtale df            D-Tale's instance, for code

        %dtale --list               every D-Tale and its frames
        %dtale --drop df            forget a frame
        %dtale --stop               free this notebook's ports; frames are kept
        %dtale --new-link           new links; the old ones are dead at once
        """
        __tracebackhide__ = True
        waiting = _Waiting(self.session)
        arguments = parse(line, DTALE_FLAGS, lambda: waiting.loaded().show_options())
        _check_alone(arguments, "--list", "--stop", "--drop", "--new-link")
        if "--list" in arguments.flags:
            return self._say_list()
        if "--stop" in arguments.flags:
            return self._say_stopped()
        if "--drop" in arguments.flags:
            return self._say(f"Forgotten: {self.session.drop(arguments.flags['--drop'])}")
        if "--new-link" in arguments.flags:
            return self._say_new_link()
        if not arguments.expression:
            _check_no_options(arguments)
            return self._show_panel(waiting)
        return self._show(arguments, waiting)

    @line_magic
    def dtale_port(self, line: str) -> None:
        """Show or set the ports of this notebook's D-Tale.

        %dtale_port                 bound port, range, and who has the ingress port
        %dtale_port 40000 40010     look for ports in this range (40000-40010 too)
        %dtale_port --reset         return to the configured range
        %dtale_port 40005           bind this notebook's D-Tale there
        %dtale_port 40005 --force   the same, taken over from another notebook
        %dtale_port --take          take over the ingress port
        %dtale_port --release       give the ingress port back
        %dtale_port --check         find out by which URL the browser gets here, and if not, why
        """
        arguments = parse(line, PORT_FLAGS)
        _check_alone(arguments, "--reset", "--take", "--release", "--check")
        words = arguments.words
        if "--take" in arguments.flags:
            return self._say_outcome(self.session.take_over())
        if "--release" in arguments.flags:
            return self._say_outcome(self.session.release())
        if "--check" in arguments.flags:
            return self._say_verdict()
        if "--reset" in arguments.flags:
            self.session.set_range(None)
        elif len(words) == 1 and "-" not in words[0]:
            port = parse_port(words[0], "port")
            if "--force" in arguments.flags:
                return self._say_outcome(self.session.take_over(port))
            self.session.bind(port)
        elif words:
            _check_no_force(arguments)
            self.session.set_range(parse_range(words))
        else:
            _check_no_force(arguments)
        return self._say_ports()

    def _say_outcome(self, outcome: Outcome) -> None:
        """Say what became of a takeover; a refusal is an error, so that "Run all" stops."""
        if outcome.refused:
            outcome.require()
        self._say(str(outcome))

    def _show(self, arguments: Arguments, waiting: _Waiting) -> Any:
        __tracebackhide__ = True
        expression = arguments.expression
        port = arguments.flags.get("--port")
        port = None if port is None else parse_port(port, "--port")
        frame = self._evaluate(expression)
        waiting.loaded()
        if port is not None:
            self.session.ensure(port, force="--force" in arguments.flags)
        instance, shown = self.session.show(frame, expression, arguments.show_options)
        self._show_panel(waiting, shown)
        _hide_once(instance)
        return instance

    def _evaluate(self, expression: str) -> Any:
        """Evaluate in the user's namespace; what it raises is the user's own error."""
        __tracebackhide__ = True  # understood by IPython, here and in the callers
        shell = self.shell
        assert shell is not None
        try:
            code = compile(expression, shell.compile.cache(expression), "eval")
        except SyntaxError as error:
            raise UsageError(
                f"{expression!r} is no Python expression: {error.msg}.",
                "Type for example: %dtale df   or   %dtale df[df.price > 10]",
            ) from None
        if expression in code.co_names and not _is_defined(expression, shell):
            names = [name for name in shell.user_ns if name not in shell.user_ns_hidden]
            near = difflib.get_close_matches(expression, names, n=1)
            hint = f"Did you mean {near[0]}?" if near else "Run the cell that makes it first."
            raise UsageError(f"There is no variable {expression!r}.", hint)
        return eval(code, shell.user_global_ns, shell.user_ns)  # noqa: S307 (the user's own code)

    @property
    def _in_browser(self) -> bool:
        return hasattr(self.shell, "kernel")

    def _say(self, text: str) -> None:
        if not self._in_browser:
            print(text)  # noqa: T201 (a terminal)
            return
        from dtale_magics.frontend.display import Text  # noqa: PLC0415 (not at %load_ext)

        display(Text(text))

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

    def _say_ports(self) -> None:
        from dtale_magics.frontend.display import ports_text  # noqa: PLC0415 (not at %load_ext)

        status = self.session.status()
        text = ports_text(status)
        outside = [port for port in status.ports if port not in status.range]
        if outside:
            text += (
                f"\nD-Tale stays on port {outside[-1]}, outside the range: open tabs go on. "
                f"To move it, type: %dtale_port {status.range.first}"
            )
        self._say(text)

    def _say_verdict(self) -> None:
        """Check, and show what is found as it comes."""
        from dtale_magics.frontend.display import Text, verdict_text  # noqa: PLC0415 (not at %load_ext)

        if not self._in_browser:
            self._say(verdict_text(self.session.check().as_dict()))
            return
        handle = display(Text("Checking, three seconds at most …"), display_id=True)
        reach = self.session.reach

        def show() -> None:
            handle.update(Text(verdict_text(reach.verdict().as_dict())))

        self.session.check(show)

    def _say_stopped(self) -> None:
        freed = self.session.stop()
        if freed:
            ports = ", ".join(str(port) for port in freed)
            self._say(f"Stopped; free again: port {ports}. Frames are kept: %dtale df goes on.")
        else:
            self._say("D-Tale was not running.")

    def _say_new_link(self) -> None:
        self.session.new_link()
        where = "Panels and grids of this notebook follow." if self._in_browser else ""
        url = self.session.base_url
        if url is not None and not self._in_browser:
            where = f"The new one: {url}/"  # in a notebook, the output would be saved
        self._say(f"Links that were given away are dead. {where}".rstrip())

    def _say_list(self) -> None:
        from dtale_magics.frontend.display import list_text  # noqa: PLC0415 (not at %load_ext)

        self._say(list_text(self.session.kernels()))


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


def _is_defined(name: str, shell: InteractiveShell) -> bool:
    return name in shell.user_ns or name in shell.user_global_ns or hasattr(builtins, name)


def _hide_once(instance: Any) -> None:
    """Keep IPython from showing `instance`, the value of the cell, below its own grid."""

    def show_nothing() -> None:
        del instance._ipython_display_

    instance._ipython_display_ = show_nothing


def _check_alone(arguments: Arguments, *flags: str) -> None:
    """Refuse a line that asks for two things at once."""
    for flag in flags:
        if flag in arguments.flags:
            others = [*arguments.words, *(set(arguments.flags) - {flag}), *arguments.show_options]
            if others:
                raise UsageError(f"{flag} stands alone, without {others[0]}.", "%dtale? lists all.")


def _check_no_force(arguments: Arguments) -> None:
    if "--force" in arguments.flags:
        raise UsageError("--force needs a port.", "Type for example: %dtale_port 40000 --force")


def _check_no_options(arguments: Arguments) -> None:
    given = [*arguments.flags, *arguments.show_options]
    if given:
        raise UsageError(f"{given[0]} needs a frame.", f"Type for example: %dtale df {given[0]}")
