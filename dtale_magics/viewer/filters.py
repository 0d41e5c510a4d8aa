"""Which filters D-Tale may run for a browser: those that its own menus make, and no code.

D-Tale hands filters to ``DataFrame.query``, whose Python engine calls any method of a column. Its
own checks look for words that are known to be bad, while filters as free text reach it by several
ways (settings, outlier filters, the query field of a chart). Here, at the one place that all of
them pass, a filter is read as Python and may contain only what D-Tale's menus write, unless the
user has allowed custom filters.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_PIECE = re.compile(r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|`[^`]*`|[^'"`]+|.""", re.DOTALL)
"""A quoted string, a column's name in backticks, a run of anything else, or one stray quote."""

_LONGEST = 100_000

_NODES = (
    ast.Expression, ast.Name, ast.Load, ast.Constant, ast.Tuple, ast.List,
    ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.Invert, ast.USub, ast.UAdd,
    ast.BinOp, ast.BitAnd, ast.BitOr, ast.Compare, ast.cmpop, ast.keyword,
    ast.Attribute, ast.Call,
)  # fmt: skip

_ATTRIBUTES = frozenset((
    *("str", "lower", "upper", "startswith", "endswith", "contains", "len"),
    *("isnull", "notnull", "isna", "notna", "isin"),
    *("dt", "date", "time", "year", "quarter", "month", "week", "day", "hour", "minute", "second"),
    *("weekday", "dayofweek", "dayofyear"),
))  # fmt: skip
"""What D-Tale's filters ask of a column; none of it has an effect."""


def is_plain(query: str) -> bool:
    """Whether `query` compares columns with values and does nothing else."""
    if len(query) > _LONGEST:
        return False
    pieces = []
    for piece in _PIECE.findall(query):
        if piece[0] == "`":
            if len(piece) < len("`a`"):
                return False
            pieces.append(" _ ")
            continue
        # Where pandas could see another string or another column than we do, it is refused.
        if piece in ("'", '"', "''", '""') and pieces and pieces[-1][-1:] == piece[0]:
            return False
        if piece[0] in "'\"" and "`" in piece:
            return False
        if piece[0] not in "'\"" and re.search(r"[#@\n\r\\]", piece):
            return False
        pieces.append(piece)
    text = "".join(pieces).strip()
    if "'''" in text or '"""' in text:
        return False
    try:
        tree = ast.parse(text, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return all(map(_is_harmless, ast.walk(tree)))


def _is_harmless(node: ast.AST) -> bool:
    if isinstance(node, ast.Attribute):
        return node.attr in _ATTRIBUTES
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Attribute)
    return isinstance(node, _NODES)


def install(query_module: Any, allowed: Callable[[], bool]) -> None:
    """Have D-Tale refuse every other filter of a request; may be called again.

    Parameters
    ----------
    query_module
        ``dtale.query``, whose ``validate_query_safety`` every filter passes.
    allowed
        Whether the user has allowed custom filters.
    """
    original = query_module.validate_query_safety
    if getattr(original, "_dtale_magics", False):
        original = original.original

    def validate_query_safety(query: str | None) -> None:
        from flask import has_request_context  # noqa: PLC0415 (D-Tale has imported it)

        if query and has_request_context() and not is_plain(query) and not allowed():
            raise ValueError(
                "This is a custom filter, which can run code. Custom filters are off; whoever runs "
                "the notebook can allow them: %dtale df --enable-custom-filters"
            )
        original(query)

    validate_query_safety._dtale_magics = True  # type: ignore[attr-defined] # noqa: SLF001
    validate_query_safety.original = original  # type: ignore[attr-defined]
    query_module.validate_query_safety = validate_query_safety


def brings_new(updates: dict[str, Any], current: dict[str, Any]) -> bool:
    """Whether a browser's change of a frame's settings brings what only the user may bring.

    D-Tale's page drops filters by sending those that stay; a filter that D-Tale has not made, and
    a switch ``enable_...``, are somebody else's.
    """
    if any(key.startswith("enable_") for key in updates):
        return True
    for key in ("columnFilters", "outlierFilters"):
        given, known = updates.get(key) or {}, current.get(key) or {}
        if not isinstance(given, dict):
            return True
        if any(name not in known or known[name] != one for name, one in given.items()):
            return True
    return False
