"""Waiting for a condition: no test sleeps for a guessed while."""

import time
from collections.abc import Callable
from typing import TypeVar

import pytest

T = TypeVar("T")

INTERVAL = 0.2


def eventually(
    condition: str,
    look: Callable[[], T],
    holds: Callable[[T], object] = bool,
    *,
    within: float,
    tolerating: tuple[type[Exception], ...] = (),
) -> T:
    """Look until what is seen holds, and return it; fail with the condition's name and what was seen last.

    An exception that is tolerated counts as one more thing that was seen.
    """
    deadline = time.monotonic() + within
    while True:
        try:
            seen = look()
            if holds(seen):
                return seen
            last = repr(seen)
        except tolerating as error:
            last = f"{type(error).__name__}: {error}"
        if time.monotonic() >= deadline:
            pytest.fail(f"after {within:g} s not yet: {condition}; seen last: {last}")
        time.sleep(INTERVAL)
