"""Evaluate an expression as it was typed, where it was typed."""

from __future__ import annotations

import ast
import builtins
import difflib
import inspect
import io
import itertools
import re
import sys
import tokenize
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from IPython.core import interactiveshell

from dtale_magics.errors import FrameRefusedError, UsageError
from dtale_magics.viewer.readers.refusals import operand

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, MutableMapping
    from types import CodeType, FrameType

    from IPython.core.interactiveshell import InteractiveShell

_FRAME_TYPES = {"DataFrame", "Series", "MultiIndex", "DatetimeIndex", "ndarray", "Dataset"}
_FRAME_TYPES |= {"DataArray", "LazyFrame", "GeoDataFrame", "Table", "RecordBatch"}
_WHOLE_FRAMES = {"DataFrame", "LazyFrame", "Table"}
_FIELD = re.compile(r"\$[^\W\d]\w*")
MAX_NAME = 48
"""Longer expressions are named by their beginning."""

_EXAMPLE = "Type for example: %dtale df   or   %dtale df[df.price > 10]"


@dataclass(frozen=True)
class Scope:
    """The variables that code sees at the place where a magic was typed.

    Attributes
    ----------
    global_names
        Variables of the notebook, or of the file that is running.
    local_names
        Variables of the function, method or class body; at the top level, `global_names` itself.
    in_function
        Whether that is a function, whose variables its comprehensions and lambdas see.
    """

    global_names: dict[str, Any]
    local_names: MutableMapping[str, Any]
    in_function: bool = False

    def __getitem__(self, name: str) -> Any:
        """Return the value of a variable; `KeyError` if there is none."""
        for names in (self.local_names, self.global_names, vars(builtins)):
            if name in names:
                return names[name]
        raise KeyError(name)

    def visible(self) -> dict[str, Any]:
        """Return all variables except Python's own."""
        return {**self.global_names, **self.local_names}

    def __contains__(self, name: object) -> bool:
        return any(name in names for names in (self.local_names, self.global_names, vars(builtins)))

    def run(self, code: Any) -> Any:
        """Run `code` as if it were there; if it awaits something, return the coroutine."""
        __tracebackhide__ = True  # understood by IPython, here and in the callers
        if not self.in_function:
            return eval(code, self.global_names, self.local_names)  # noqa: S307 (the user's own)
        # Comprehensions and lambdas see only the globals of their code, so a function's variables
        # have to be among them.
        return eval(code, {**self.global_names, **self.local_names})  # noqa: S307


def scope_of(frame: FrameType | None, shell: InteractiveShell) -> Scope:
    """Return the scope of `frame`, or else that of the notebook."""
    if frame is None or frame.f_locals is frame.f_globals:
        names = shell.user_ns if frame is None else frame.f_globals
        return Scope(names, names)
    return Scope(
        frame.f_globals, frame.f_locals, bool(frame.f_code.co_flags & inspect.CO_OPTIMIZED)
    )


def frame_of_caller() -> FrameType | None:
    """Return the frame of the code with the line magic, as IPython finds it."""
    frame: FrameType | None = sys._getframe()  # noqa: SLF001 (there is no other way)
    run_line_magic = interactiveshell.InteractiveShell.run_line_magic.__code__
    while frame is not None and frame.f_code is not run_line_magic:
        frame = frame.f_back
    if frame is None:
        return None
    # `get_ipython().magic()`, where IPython has it, adds a frame in between.
    for _ in range(frame.f_locals["_stack_depth"]):
        frame = frame.f_back if frame is not None else None
    return frame


@dataclass(frozen=True)
class Expression:
    """A Python expression, compiled.

    Attributes
    ----------
    code
        The compiled code, with its text in tracebacks.
    normal_form
        The same for expressions that differ only in spaces, quotes and redundant brackets.
    variable
        The variable's name, if the expression is just a variable.
    """

    code: CodeType
    normal_form: str
    variable: str | None


def read(text: str, shell: InteractiveShell) -> Expression:
    """Compile `text`; `UsageError` if it is not an expression."""
    history = shell.history_manager
    cell = 0 if history is None else len(history.input_hist_parsed) - 1
    filename = shell.compile.cache(text, max(cell, 0))
    try:
        return compiled(ast.parse(text, filename, mode="eval"), filename, shell)
    except (SyntaxError, ValueError) as error:
        raise _no_expression(text, error) from None


def compiled(tree: ast.Expression, filename: str, shell: InteractiveShell) -> Expression:
    """Compile a tree, as IPython would."""
    code = compile_(tree, filename, "eval", shell)
    variable = tree.body.id if isinstance(tree.body, ast.Name) else None
    return Expression(code, ast.unparse(tree), variable)


def compile_(tree: ast.AST, filename: str, mode: str, shell: InteractiveShell) -> CodeType:
    """Compile with the flags of the cells before, and with ``await`` wherever it is typed."""
    with shell.compile.extra_flags(ast.PyCF_ALLOW_TOP_LEVEL_AWAIT):
        code: CodeType = shell.compile(tree, filename, mode)  # type: ignore[arg-type]
    return code


def is_async(code: CodeType | None) -> bool:
    """Whether `code` awaits something."""
    return code is not None and bool(code.co_flags & inspect.CO_COROUTINE)


def _no_expression(text: str, error: SyntaxError | ValueError) -> UsageError:
    message = error.msg if isinstance(error, SyntaxError) else str(error)
    hint = _EXAMPLE
    try:
        statements = ast.parse(text).body
    except (SyntaxError, ValueError):
        words = text.split()
        if _FIELD.search(text):
            hint = "{name} and $name stand for a variable's name only where they stand alone."
        if len(words) > 1 and all(map(str.isidentifier, words)):
            lines = "   and   ".join(f"%dtale {word}" for word in words)
            hint = f"One frame at a time, each on a line of its own: {lines}"
    else:
        if len(statements) > 1 or not isinstance(statements[0], ast.Expr):
            kind = "several statements" if len(statements) > 1 else "a statement"
            message, hint = f"it is {kind}", "Statements stand in a cell: begin it with %%dtale"
            match statements:
                case [ast.Assign(targets=[ast.Name(id=name)])]:
                    hint = f"Assign in a line of its own: {text}   and then: %dtale {name}"
    return UsageError(f"{text!r} is no Python expression: {message}.", hint)


def no_variable(
    name: str, near: Iterable[str], shown: Iterable[str], option: str = ""
) -> UsageError:
    """Make the error for a variable that does not exist.

    Parameters
    ----------
    name
        The variable.
    near
        Variables with frames in them.
    shown
        Names of the frames that D-Tale shows.
    option
        The magic with an option of that name, if there is one.
    """
    found = difflib.get_close_matches(name, list(near), n=1)
    hint = f"Did you mean {found[0]}?" if found else "Run the cell that makes it first."
    if name in shown:
        hint = f"D-Tale still shows the last {name}; %dtale --data {name} gives it back. {hint}"
    if option:
        hint += f" The option is typed so: {option}"
    return UsageError(f"There is no variable {name!r}.", hint)


def frames_in(names: Mapping[str, Any]) -> list[str]:
    """Return the variables that hold something that D-Tale can show."""
    return [
        name
        for name, value in list(names.items())
        if not name.startswith("_")
        and not _FRAME_TYPES.isdisjoint(kind.__name__ for kind in type(value).__mro__)
    ]


def is_reference(text: str) -> bool:
    """Whether an expression leads to something that the user holds: ``df``, ``a.b``, ``d['x']``."""
    try:
        node = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError):
        return False
    while isinstance(node, ast.Attribute | ast.Subscript):
        if isinstance(node, ast.Subscript) and not isinstance(node.slice, ast.Constant):
            return False
        node = node.value
    return isinstance(node, ast.Name)


def refuse_several(value: Any, name: str, typed: str) -> None:
    """Refuse a list, tuple or dict of data frames, which would be shown as their text."""
    if not isinstance(value, (list, tuple, dict)) or not value:
        return
    parts = list(value.items()) if isinstance(value, dict) else list(enumerate(value))
    kinds = [{kind.__name__ for kind in type(part).__mro__} for _, part in parts]
    if all(not _WHOLE_FRAMES.isdisjoint(kind) for kind in kinds):
        raise FrameRefusedError(
            name,
            f"{name} holds {len(parts)} frames, and a grid shows one.",
            f"One frame at a time, for example: %dtale {operand(typed)}[{parts[0][0]!r}]",
        )


class Names:
    """Short names for expressions, each with a name of its own."""

    def __init__(self) -> None:
        self._short: dict[str, str] = {}

    def of(self, normal_form: str) -> str:
        """Return the name of an expression, always the same one."""
        if len(normal_form) <= MAX_NAME:
            return normal_form
        if normal_form not in self._short:
            short = _shortened(normal_form)
            taken = set(self._short.values())
            numbered = (f"{short} {number}" for number in itertools.count(2))
            free = (one for one in itertools.chain([short], numbered) if one not in taken)
            self._short[normal_form] = next(free)
        return self._short[normal_form]


def _shortened(text: str) -> str:
    """Cut `text` where a name or a bracket ends, outside of brackets if possible."""
    depth, best = 0, 0
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.end[1] >= MAX_NAME or token.end[0] > 1:
                break
            depth += (token.string in set("([{")) - (token.string in set(")]}"))
            if depth == 0 and token.type in {tokenize.NAME, tokenize.OP} and token.string != ".":
                best = token.end[1]
    except (tokenize.TokenError, SyntaxError):
        pass
    return f"{text[: best or MAX_NAME - 1]}…"
