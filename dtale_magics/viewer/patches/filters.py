"""Which filters D-Tale may run for a browser: those that compute with columns, but no code.

D-Tale hands filters to ``DataFrame.query``, whose Python engine calls any method of a column. Its
own checks look for words that are known to be bad, and free text reaches them on several ways
(settings, outlier filters, the query field of a chart). Here, at the one place that all filters
pass, pandas's own functions parse the filter as pandas will, and every node of the tree must be of
a harmless kind; the values in it may be anything. If the user allows custom filters, none of this
is checked.
"""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from flask import has_request_context

from dtale_magics.viewer.patches import undoing as patches

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from types import ModuleType

_MAX_CHARACTERS = 100_000
_LARGEST_EXPONENT = 100
_MAX_APPROVED = 1000

_NODES = (
    ast.Module, ast.Expr, ast.Load, ast.Constant, ast.Tuple, ast.List,
    ast.BoolOp, ast.boolop, ast.UnaryOp, ast.unaryop, ast.Compare, ast.cmpop, ast.operator,
)  # fmt: skip
"""Nodes that are always harmless; names, attributes, calls and operations are checked further."""

_COMPARISONS = "eq ne lt le gt ge between isin isnull notnull isna notna duplicated any all"
_ARITHMETIC = (
    "add sub mul div truediv floordiv mod abs round clip fillna diff shift rank pct_change"
)
_REDUCTIONS = (
    "mean median min max sum prod std var sem skew kurt quantile count nunique size idxmin idxmax "
    "cumsum cumprod cummin cummax"
)
_TEXT = (
    "str strip lstrip rstrip lower upper title capitalize casefold swapcase len startswith "
    "endswith contains match fullmatch find rfind count get slice removeprefix removesuffix "
    "isalpha isdigit isnumeric isdecimal isalnum isspace islower isupper istitle"
)
_DATES = (
    "dt date time year quarter month week day hour minute second microsecond nanosecond weekday "
    "dayofweek dayofyear day_of_week day_of_year days_in_month daysinmonth day_name month_name "
    "normalize is_month_start is_month_end is_quarter_start is_quarter_end is_year_start "
    "is_year_end is_leap_year days seconds microseconds total_seconds"
)
_ATTRIBUTES = frozenset(f"{_COMPARISONS} {_ARITHMETIC} {_REDUCTIONS} {_TEXT} {_DATES}".split())
"""Allowed attributes of a column. None has a side effect or takes a function."""

_WORDS = (
    "na case regex flags pat inclusive left right decimals ddof skipna q lower upper periods "
    "fill_value value values other axis start stop step to_strip prefix suffix sub keep pct "
    "ascending method numeric_only min_count interpolation"
)
_KEYWORDS = frozenset(_WORDS.split())
"""Allowed keywords; ``inplace`` and ``out`` are missing because they write."""

_MATHS = (
    "abs sin cos tan arcsin arccos arctan arctan2 sinh cosh tanh exp expm1 log log10 log1p sqrt "
    "floor ceil"
)
_FUNCTIONS = frozenset(f"{_MATHS} Timestamp".split())


def is_plain(query: str, variables: Collection[str] = ()) -> bool:
    """Whether `query` computes with columns and values and does nothing else.

    Parameters
    ----------
    query
        As ``DataFrame.query`` takes it.
    variables
        Names that the notebook has set as context variables, for ``@name``.
    """
    if len(query) > _MAX_CHARACTERS:
        return False
    try:
        tree = ast.parse(_as_pandas_reads(query))
        return len(tree.body) == 1 and all(_is_harmless(node, variables) for node in ast.walk(tree))
    except Exception:  # noqa: BLE001 (of any kind: pandas would fail on it as well)
        return False


def _is_readable(query: str) -> bool:
    """Whether pandas can read a filter at all; not each can name a column that has a quote."""
    try:
        ast.parse(_as_pandas_reads(query))
    except Exception:  # noqa: BLE001 (of any kind, as above)
        return False
    return True


def _as_pandas_reads(query: str) -> str:
    """Translate a filter to Python as pandas does: backticks, ``@``, ``&`` and ``|``."""
    expr, parsing = _of_pandas("expr"), _of_pandas("parsing")
    (line,) = [stripped for line in query.splitlines() if (stripped := line.strip())]
    steps = (expr._replace_locals, expr._replace_booleans, parsing.clean_backtick_quoted_toks)  # noqa: SLF001
    return str(expr._preparse(line, f=expr._compose(*steps)))  # noqa: SLF001


def _of_pandas(module: str) -> Any:
    return importlib.import_module(f"pandas.core.computation.{module}")  # D-Tale has imported it


def _is_harmless(node: ast.AST, variables: Collection[str]) -> bool:
    match node:
        case ast.Name(id=name):
            return not _is_local(name) or name.removeprefix(_local_tag()) in variables
        case ast.Attribute(value=value, attr=attribute):
            # A variable of the notebook may have methods of these names that do something else.
            return attribute in _ATTRIBUTES and not _holds_local(value)
        case ast.Call(func=ast.Name(id=name)):
            return name in _FUNCTIONS
        case ast.Call(func=function):
            return isinstance(function, ast.Attribute)
        case ast.keyword(arg=name):
            return name in _KEYWORDS
        case ast.BinOp(left=left, op=ast.Pow(), right=right):
            return _is_small(right) and not any(_is_power(one) for one in ast.walk(left))
        case ast.BinOp(left=left, op=ast.Mult() | ast.Mod(), right=right):
            return not (_is_text(left) or _is_text(right))  # "x" * 10**9, "%s" % column
        case ast.BinOp(op=ast.LShift() | ast.RShift() | ast.MatMult()):
            return False
        case ast.BinOp():
            return True
    return isinstance(node, _NODES)


def _local_tag() -> str:
    return str(_of_pandas("ops").LOCAL_TAG)


def _is_local(name: str) -> bool:
    return name.startswith(_local_tag())


def _holds_local(node: ast.AST) -> bool:
    return any(isinstance(one, ast.Name) and _is_local(one.id) for one in ast.walk(node))


def _is_power(node: ast.AST) -> bool:
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow)


def _is_small(node: ast.AST) -> bool:
    """Whether this is an exponent small enough to keep numbers within bounds."""
    if isinstance(node, ast.UnaryOp):
        node = node.operand
    value = node.value if isinstance(node, ast.Constant) else None
    return isinstance(value, (int, float)) and abs(value) <= _LARGEST_EXPONENT


def _is_text(node: ast.AST) -> bool:
    return any(
        isinstance(one, (ast.List, ast.Tuple))
        or (isinstance(one, ast.Constant) and isinstance(one.value, (str, bytes)))
        for one in ast.walk(node)
    )


class Notebook:
    """Filters that the notebook itself gives to D-Tale's pages; they are not restricted."""

    def __init__(self) -> None:
        self._given: dict[str, None] = {}

    def __contains__(self, query: str) -> bool:
        return query in self._given

    def follow(self, views: ModuleType) -> None:
        """Note the filters given to ``notebook_charts``, which requests a page; may be repeated."""
        original = views.DtaleData.notebook_charts
        original = getattr(original, "_dtale_magics_original", original)

        def notebook_charts(instance: Any, *args: Any, **keywords: Any) -> Any:
            query = (
                inspect.signature(original).bind(instance, *args, **keywords).arguments.get("query")
            )
            if isinstance(query, str):
                self._given[query] = None
                if len(self._given) > _MAX_APPROVED:
                    del self._given[next(iter(self._given))]
            return original(instance, *args, **keywords)

        functools.update_wrapper(notebook_charts, original)
        notebook_charts._dtale_magics_original = original  # type: ignore[attr-defined] # noqa: SLF001
        patches.replace(views.DtaleData, "notebook_charts", notebook_charts)


class _Text(str):
    """Text of a filter's value, whose literal every parser reads as the same text.

    Without it, pandas 3.1 takes the first backtick after a quoted text that ends with a backslash
    for the start of a column's name, and silently finds other rows.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        escaped = super().__repr__()[1:-1].replace("\\\\", "\\x5c").replace("\\'", "'")
        return "'" + escaped.replace("'", "\\x27").replace("`", "\\x60") + "'"

    def lower(self) -> _Text:
        return _Text(super().lower())


def quote_values(column_filters: ModuleType) -> None:
    """Have D-Tale's menus quote the texts they look for as `_Text` does; may be repeated.

    Parameters
    ----------
    column_filters
        ``dtale.column_filters``.
    """
    menu = column_filters.StringFilter
    original = getattr(menu.build_filter, "_dtale_magics_original", menu.build_filter)

    def build_filter(instance: Any) -> Any:
        given = instance.cfg
        if isinstance(given, dict):
            instance.cfg = {key: _as_text(value) for key, value in given.items()}
        try:
            built = original(instance)
        finally:
            instance.cfg = given
        if built is not None:
            built |= {key: given[key] for key in ("value", "raw") if key in given and key in built}
        return built

    build_filter._dtale_magics_original = original  # type: ignore[attr-defined] # noqa: SLF001
    patches.replace(menu, "build_filter", build_filter)


def _as_text(value: Any) -> Any:
    if isinstance(value, list):
        return [_as_text(one) for one in value]
    return _Text(value) if isinstance(value, str) else value


def install(
    query_module: Any,
    allowed: Callable[[], bool],
    variables: Callable[[], Collection[str]],
    given: Notebook,
) -> None:
    """Have D-Tale refuse any filter of a request that is not plain; may be repeated.

    Parameters
    ----------
    query_module
        ``dtale.query``, whose ``validate_query_safety`` every filter passes.
    allowed
        Whether the user has allowed custom filters.
    variables
        Returns the names of the context variables that the notebook has set.
    given
        The notebook's own filters.
    """
    original = query_module.validate_query_safety
    if getattr(original, "_dtale_magics", False):
        original = original.original

    def validate_query_safety(query: str | None) -> None:
        asked = bool(query) and has_request_context() and (query or "") not in given
        if asked and not is_plain(query or "", variables()) and not allowed():
            if len(query or "") <= _MAX_CHARACTERS and not _is_readable(query or ""):
                raise ValueError(
                    f"pandas {version('pandas')} cannot read this filter. If that is because of a "
                    "column's name, with a quote, backtick, # or \\ in it, show the frame with "
                    """another name: %dtale df.rename(columns={"the name": "another"})"""
                )
            raise ValueError(
                "This is a custom filter, which can run code. Custom filters are off; whoever runs "
                "the notebook can allow them: %dtale df --enable-custom-filters"
            )
        original(query)

    validate_query_safety._dtale_magics = True  # type: ignore[attr-defined] # noqa: SLF001
    validate_query_safety.original = original  # type: ignore[attr-defined]
    patches.replace(query_module, "validate_query_safety", validate_query_safety)


def brings_new(updates: dict[str, Any], current: dict[str, Any]) -> bool:
    """Whether a browser's update of a frame's settings adds what only the user may add.

    D-Tale's page drops a filter by sending those that stay. So a filter that the frame does not
    have yet, or a switch ``enable_...``, does not come from that page.
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
