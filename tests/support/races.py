"""Requests that meet: services called from several threads that start together. For a real engine only.

Handlers serve one request at a time and moto is not atomic under threads, so neither can show what a race does.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from tollgate.core.errors import StoreUnavailableError, TollgateError
from tollgate.table.transactions import LostRaceError

# Somebody else was quicker: the answer is 409 or 503, and the caller may ask again.
PASSING = (LostRaceError, StoreUnavailableError)

A = TypeVar("A")
T = TypeVar("T")


def at_once(action: Callable[[A], T], arguments: Iterable[A]) -> list[T | TollgateError]:
    """What the action gave for each argument or was refused with, in order. All start at the same moment.

    Whatever is no refusal of Tollgate's is raised.
    """
    each = list(arguments)
    ready = threading.Barrier(len(each))

    def one(argument: A) -> T | TollgateError:
        ready.wait()
        try:
            return action(argument)
        except TollgateError as refusal:
            return refusal

    with ThreadPoolExecutor(len(each)) as pool:
        return list(pool.map(one, each))


def persistently(action: Callable[[A], T]) -> Callable[[A], T]:
    """The action of a caller who asks again as long as somebody else was quicker."""

    def asked(argument: A) -> T:
        while True:
            try:
                return action(argument)
            except PASSING:
                continue

    return asked
