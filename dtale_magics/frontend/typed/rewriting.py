"""Rewrites cells, so that a magic in them can do what Python code could.

To Python, the text after a magic is a string. So if only that text mentions a variable of an outer
function, a nested function would not keep it as a closure; and nothing in the text could be
awaited. The rewritten cell mentions these variables, and has the ``await``, in code.
"""

from __future__ import annotations

import ast
import contextlib
import inspect
import io
import keyword
import re
import tokenize
from typing import TYPE_CHECKING, Any

from dtale_magics.frontend.typed.python_text import look

if TYPE_CHECKING:
    from collections.abc import Iterator

    from IPython.core.interactiveshell import InteractiveShell

_SCOPES = (
    *(ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef),
    *(ast.GeneratorExp, ast.ListComp, ast.SetComp, ast.DictComp),
)
_LINE, _CELL = "run_line_magic", "run_cell_magic"
_OWN = "dtale"
_LINE_MAGIC = re.compile(rf"get_ipython\(\)\.{_LINE}\('{_OWN}', (.*)\)$")
_AWAITED = "(await get_ipython().magics_manager.registry['DtaleMagics'].awaited({arguments}))"


class Rewriting:
    """Rewrites cells with ``%dtale`` in nested functions, or with ``await`` after it."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self._mention = _Mention()

    def install(self) -> None:
        """Install the hook, to be asked for every cell."""
        self._shell.ast_transformers.append(self._mention)
        self._shell.input_transformers_post.append(self._rewrite)

    def uninstall(self) -> None:
        """Remove the hook."""
        with contextlib.suppress(ValueError):  # IPython removes a transformer that failed
            self._shell.ast_transformers.remove(self._mention)
        with contextlib.suppress(ValueError):
            self._shell.input_transformers_post.remove(self._rewrite)

    def _rewrite(self, lines: list[str]) -> list[str]:
        """Have Python await what comes after a magic, and the magic report an open bracket."""
        source = "".join(lines)
        if _OWN not in source:
            return lines
        try:
            tree = ast.parse(source)
        except (SyntaxError, ValueError):
            return _up_to_open(lines)
        for call in _calls(tree):
            if self._needs_await(call):
                segment = ast.get_source_segment(source, call)
                arguments = ", ".join(ast.unparse(one) for one in call.args[1:])
                if segment is not None:
                    source = source.replace(segment, _AWAITED.format(arguments=arguments), 1)
        return source.splitlines(keepends=True)

    def _needs_await(self, call: ast.Call) -> bool:
        text = _text(call.args[-1])
        words = _names(text)
        if "await" not in words and not {"async", "for"} <= words:
            return False
        if call.func.attr == _LINE:  # type: ignore[attr-defined] # as `_calls` found it
            return True
        try:
            tree = ast.parse(self._shell.transform_cell(text))
            code = compile(tree, "<cell>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        except (SyntaxError, ValueError):
            return False
        return bool(code.co_flags & inspect.CO_COROUTINE)


def _up_to_open(lines: list[str]) -> list[str]:
    """Drop the lines after a magic whose bracket is still open where IPython has ended the line.

    Python would complain about the line below; the magic says what to do.
    """
    for index, line in enumerate(lines):
        match = _LINE_MAGIC.search(line)
        if match is None:
            continue
        before = lines[: index + 1]
        try:
            is_open = look(ast.literal_eval(match[1])).open
            ast.parse("".join(before))
        except (SyntaxError, ValueError):
            continue
        if is_open:
            return before
    return lines


class _Mention(ast.NodeTransformer):
    """Makes functions mention the variables that the magics in them mention."""

    def __init__(self) -> None:
        self._depth = 0

    def visit(self, node: ast.AST) -> Any:
        inner = isinstance(node, _SCOPES)
        self._depth += inner
        try:
            visited = self.generic_visit(node)
        finally:
            self._depth -= inner
        if not self._depth or not isinstance(node, ast.Call) or not _is_own(node, _LINE):
            return visited
        names: list[ast.expr] = [
            ast.Name(name, ast.Load())
            for name in sorted(_names(_text(node.args[1])))
            if not keyword.iskeyword(name)
        ]
        if not names:
            return visited
        # (magic, lambda: (names, ...))[0]: the lambda is never called.
        lambda_ = ast.Lambda(
            ast.arguments([], [], None, [], [], None, []), ast.Tuple(names, ast.Load())
        )
        pair = ast.Tuple([node, lambda_], ast.Load())
        return ast.fix_missing_locations(
            ast.copy_location(ast.Subscript(pair, ast.Constant(0), ast.Load()), node)
        )


def _calls(tree: ast.AST) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and (_is_own(node, _LINE) or _is_own(node, _CELL)):
            yield node


def _is_own(call: ast.Call, method: str) -> bool:
    """Whether this is a call of ``%dtale`` or ``%%dtale``, made by IPython or the user."""
    wanted = 2 if method == _LINE else 3
    return (
        isinstance(call.func, ast.Attribute)
        and call.func.attr == method
        and len(call.args) == wanted
        and all(isinstance(one, ast.Constant) and isinstance(one.value, str) for one in call.args)
        and _text(call.args[0]) == _OWN
    )


def _text(node: ast.expr) -> str:
    value = node.value if isinstance(node, ast.Constant) else ""
    return value if isinstance(value, str) else ""


def _names(text: str) -> set[str]:
    """Return the names and keywords in a text that is, at least in part, Python."""
    names = set()
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.NAME:
                names.add(token.string)
            elif token.type == tokenize.STRING and "{" in token.string:  # f"{name}", before 3.12
                names |= _names_of_format(token.string)
    except (tokenize.TokenError, SyntaxError):
        pass
    return names


def _names_of_format(text: str) -> set[str]:
    try:
        tree = ast.parse(text, mode="eval")
    except (SyntaxError, ValueError):
        return set()
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
