"""One family of errors: what happened, who holds what, what to type next.

In IPython they print without a traceback (a subclass of IPython 9's ``UsageError`` would not), but
still count as errors, so that "Run all" stops.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class DtaleMagicsError(Exception):
    """Base of every error that this package raises on purpose.

    Parameters
    ----------
    what
        What happened, one sentence.
    hint
        What to type or to change next.
    """

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what, hint)
        self.what = what
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.what}\n{self.hint}" if self.hint else self.what

    def _render_traceback_(self) -> list[str]:
        """Lines that IPython shows instead of a traceback."""
        first, *rest = str(self).splitlines()
        return [f"{type(self).__name__}: {first}", *(f"  {line}" for line in rest)]


class SettingError(DtaleMagicsError):
    """A setting or an argument that cannot be used.

    Parameters
    ----------
    name
        The setting as the user wrote it, for example ``DTALE_MIN_PORT``.
    value
        Its value as it was found.
    what, hint
        See `DtaleMagicsError`.
    """

    def __init__(self, name: str, value: object, what: str, hint: str = "") -> None:
        super().__init__(what, hint)
        self.name = name
        self.value = value


class UsageError(DtaleMagicsError):
    """A magic or command that was typed wrongly."""


class PortUnavailableError(DtaleMagicsError):
    """A port, or every port of a range, that could not be reserved.

    Parameters
    ----------
    ports
        The first ports that were tried, ascending.
    what, hint
        See `DtaleMagicsError`.
    """

    def __init__(self, ports: Sequence[int], what: str, hint: str = "") -> None:
        super().__init__(what, hint)
        self.ports = tuple(ports)


class FrameRefusedError(DtaleMagicsError):
    """An object that D-Tale cannot show.

    Parameters
    ----------
    name
        The name or expression that the user gave.
    what, hint
        See `DtaleMagicsError`.
    """

    def __init__(self, name: str, what: str, hint: str = "") -> None:
        super().__init__(what, hint)
        self.name = name


class StoreRefusedError(DtaleMagicsError):
    """A store for D-Tale's frames that does not return what was put into it."""


class UnknownFrameError(DtaleMagicsError):
    """A frame name that this kernel's D-Tale does not have.

    Parameters
    ----------
    name
        The name that was asked for.
    what, hint
        See `DtaleMagicsError`.
    """

    def __init__(self, name: str, what: str, hint: str = "") -> None:
        super().__init__(what, hint)
        self.name = name


class UnsafeDtaleError(DtaleMagicsError):
    """A D-Tale with known holes, which is not served."""
