"""A cell below ``%%dtale``: what it runs, and the expression that it ends with."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dtale_magics.frontend.typed import expression

if TYPE_CHECKING:
    from types import CodeType

    from IPython.core.interactiveshell import InteractiveShell

    from dtale_magics.frontend.typed.expression import Expression


@dataclass(frozen=True)
class Cell:
    """A cell's code.

    Attributes
    ----------
    body
        Everything before its last expression; None if there is nothing.
    last
        The expression that it ends with, if any.
    target
        The variable that its last statement assigns to, if it is an assignment.
    """

    body: CodeType | None
    last: Expression | None
    target: str = ""

    @property
    def is_async(self) -> bool:
        """Whether something in it is awaited."""
        last = self.last.code if self.last else None
        return expression.is_async(self.body) or expression.is_async(last)


def read(text: str, shell: InteractiveShell) -> Cell:
    """Compile a cell as IPython does, with its magics and its system commands."""
    source = shell.transform_cell(text)
    filename = shell.compile.cache(source, shell.execution_count, raw_code=text)
    tree = shell.transform_ast(shell.compile.ast_parse(source, filename=filename))
    statements, last, target = tree.body, None, ""
    if statements and isinstance(statements[-1], ast.Expr):
        value = statements.pop().value
        last = expression.compiled(ast.Expression(value), filename, shell)
    elif statements and isinstance(statements[-1], ast.Assign):
        target = ast.unparse(statements[-1].targets[-1])
    body = None
    if statements:
        body = expression.compile_(ast.Module(statements, []), filename, "exec", shell)
    return Cell(body, last, target)


def name_of(last: Expression) -> str:
    """Return an expression's normal form, a magic's as it was typed."""
    try:
        tree = ast.parse(last.normal_form, mode="eval").body
    except (SyntaxError, ValueError):
        return last.normal_form
    match tree:
        case ast.Call(
            func=ast.Attribute(attr="run_line_magic"),
            args=[ast.Constant(value=str(magic)), ast.Constant(value=str(line))],
        ):
            return f"%{magic} {line}".rstrip()
    return last.normal_form


def nothing_to_show(cell: Cell) -> str:
    """Say that a cell has no value, and how to give it one."""
    example = cell.target or "df"
    return (
        "Nothing is shown: the cell ends with no expression. "
        f"Write what to show on its last line, for example: {example}"
    )


def run_body(cell: Cell, shell: InteractiveShell) -> Any:
    """Run what comes before the last expression; if that awaits, return the coroutine."""
    __tracebackhide__ = True  # understood by IPython
    return None if cell.body is None else eval(cell.body, shell.user_global_ns, shell.user_ns)  # noqa: S307
