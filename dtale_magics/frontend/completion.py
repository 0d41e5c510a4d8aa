"""Tab completion after the magics: options, and variables that D-Tale can show."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from IPython.core.completer import SimpleCompletion, context_matcher

from dtale_magics.frontend.expression import frames_in
from dtale_magics.frontend.options import DTALE, DTALE_PORT

if TYPE_CHECKING:
    from IPython.core.completer import CompletionContext, SimpleMatcherResult
    from IPython.core.interactiveshell import InteractiveShell

    from dtale_magics.session import Session

_MARK = "_dtale_magics"


def install(shell: InteractiveShell, session: Session) -> None:
    """Add the matcher to the completer of `shell`."""

    @context_matcher()
    def dtale_matcher(context: CompletionContext) -> SimpleMatcherResult:
        candidates = _candidates(context.line_with_cursor, shell, session)
        found = [one for one in candidates if one.startswith(context.token)]
        return {
            "completions": [SimpleCompletion(one, type="magic") for one in found],
            "suppress": bool(found),
        }

    setattr(dtale_matcher, _MARK, True)
    shell.Completer.custom_matchers.append(dtale_matcher)


def uninstall(shell: InteractiveShell) -> None:
    """Take the matcher away again."""
    matchers = shell.Completer.custom_matchers
    matchers[:] = [matcher for matcher in matchers if not hasattr(matcher, _MARK)]


def _candidates(line: str, shell: InteractiveShell, session: Session) -> list[str]:
    magic, space, rest = line.strip().rpartition("=")[2].lstrip().partition(" ")
    if not space:
        return []
    word = "" if line[-1:].isspace() else rest.rpartition(" ")[2]
    if magic == "%dtale_port":
        return list(DTALE_PORT.options) if word.startswith("-") else []
    if magic != "%dtale":
        return []
    if word.startswith("-"):
        # Asking D-Tale imports it; a keystroke must not wait for that.
        known = "dtale.app" in sys.modules and not session.loading
        return [*DTALE.options, *(session.show_options().flags if known else ())]
    if rest.split(" ")[-2:-1] == ["--drop"]:
        return [frame.name for frame in session.frames()]
    return frames_in(shell.user_ns)
