"""Waiting for a condition, which is named when it does not come: no test sleeps for a guessed time."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

INTERVAL = 0.05  # seconds between two looks


def wait_until(
    look: Callable[[], T],
    what: str,
    holds: Callable[[T], object] = bool,
    *,
    seconds: float,
    tolerating: tuple[type[Exception], ...] = (),
) -> T:
    """Look again and again until what is seen holds.

    Args:
        look: Returns what there is to see now.
        what: The condition in words, such as "the node is ready".
        holds: Tells whether what was seen is what is waited for.
        seconds: The longest wait. It is a limit for a broken system, not a measure of a good one.
        tolerating: Exceptions of `look` that count as "not yet".

    Returns:
        The first thing seen that holds.

    Raises:
        AssertionError: The time is over; the message has the condition and what was seen last.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            seen = look()
            if holds(seen):
                return seen
            last = repr(seen)
        except tolerating as error:
            last = f"{type(error).__name__}: {error}"
        if time.monotonic() >= deadline:
            raise AssertionError(_complaint(what, seconds, last))
        time.sleep(INTERVAL)


async def wait_until_async(
    look: Callable[[], Awaitable[T]],
    what: str,
    holds: Callable[[T], object] = bool,
    *,
    seconds: float,
    tolerating: tuple[type[Exception], ...] = (),
) -> T:
    """Do what `wait_until` does with an asynchronous `look`; one that hangs ends with the time too."""
    last = "nothing"
    try:
        async with asyncio.timeout(seconds) as limit:
            while True:
                try:
                    seen = await look()
                    if holds(seen):
                        return seen
                    last = repr(seen)
                except tolerating as error:
                    last = f"{type(error).__name__}: {error}"
                await asyncio.sleep(INTERVAL)
    except TimeoutError:
        if not limit.expired():
            raise
        raise AssertionError(_complaint(what, seconds, last)) from None


def _complaint(what: str, seconds: float, last: str) -> str:
    return f"not after {seconds:g} s: {what}; seen last: {last}"
