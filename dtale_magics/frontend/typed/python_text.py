"""Where an expression ends, and what is a comment in it, according to Python's tokenizer."""

from __future__ import annotations

import io
import re
import tokenize
from dataclasses import dataclass

_OPENING, _CLOSING = frozenset("([{"), frozenset(")]}")
_NOT_CODE = frozenset({tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE})
_UNTERMINATED = re.compile(r"unterminated|EOF in multi-line string")
"""What the versions of Python say about a quote that is not closed."""


@dataclass(frozen=True)
class Look:
    """What is found in a text that is meant to be Python.

    Attributes
    ----------
    comment
        Where a comment begins; None if there is none.
    open
        What is not closed: ``a quote``, ``a bracket``, or nothing.
    semicolon
        Position of a semicolon that ends the text; None if there is none.
    """

    comment: int | None = None
    open: str = ""
    semicolon: int | None = None


def look(text: str) -> Look:
    """Read `text`, one line, as far as Python's tokenizer can."""
    depth, comment, last = 0, None, None
    try:
        # In brackets, because otherwise leading white space would be an indentation.
        for token in tokenize.generate_tokens(io.StringIO(f"({text}\n)").readline):
            if token.start[0] > 1:
                break
            if token.type == tokenize.COMMENT:
                comment = token.start[1] - 1
            if token.type == tokenize.OP:
                depth += (token.string in _OPENING) - (token.string in _CLOSING)
            # Before Python 3.12, a quote that is not closed is a token, and the text goes on.
            if token.type == tokenize.ERRORTOKEN and token.string[:1] in {'"', "'"}:
                return Look(comment, "a quote")
            if token.type not in _NOT_CODE:
                last = token
    except (tokenize.TokenError, SyntaxError) as error:
        if _UNTERMINATED.search(str(error)):
            return Look(comment, "a quote")  # the compiler reports anything else that is wrong
    semicolon = last.start[1] - 1 if last and last.string == ";" and depth == 1 else None
    return Look(comment, "a bracket" if depth > 1 else "", semicolon)
