"""Attributes that are made when they are first asked for."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Self

T = TypeVar("T")


class once(Generic[T]):  # noqa: N801 (a decorator, as `property` is)
    """A method whose value becomes an attribute, made once whichever thread asks first.

    `functools.cached_property` has no lock from Python 3.12 on.
    """

    def __init__(self, make: Callable[[Any], T]) -> None:
        self._make = make
        self._lock = threading.RLock()
        self.__doc__ = make.__doc__

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...

    @overload
    def __get__(self, instance: object, owner: type) -> T: ...

    def __get__(self, instance: object | None, owner: type) -> Self | T:
        if instance is None:
            return self
        with self._lock:
            values, name = vars(instance), self._make.__name__
            if name not in values:
                values[name] = self._make(instance)  # from now on it is found there, without us
            made: T = values[name]
            return made
