import asyncio
from itertools import count

import pytest

from tests.support import virtual_clock
from tests.support.polling import wait_until, wait_until_async


def test_what_is_seen_is_returned_once_it_holds() -> None:
    numbers = count()
    assert wait_until(lambda: next(numbers), "three is reached", lambda number: number == 3, seconds=60) == 3


def test_a_wait_in_vain_names_its_condition_and_what_was_seen() -> None:
    with pytest.raises(AssertionError, match="not after 0 s: the lamp is on; seen last: 'off'"):
        wait_until(lambda: "off", "the lamp is on", lambda seen: seen == "on", seconds=0)


def test_a_tolerated_exception_is_what_was_seen() -> None:
    def refuse() -> bool:
        raise ConnectionError("refused")

    with pytest.raises(AssertionError, match="seen last: ConnectionError: refused"):
        wait_until(refuse, "it answers", seconds=0, tolerating=(OSError,))
    with pytest.raises(ConnectionError, match="refused"):
        wait_until(refuse, "it answers", seconds=0)


def test_an_asynchronous_wait_in_vain_names_its_condition_too() -> None:
    async def off() -> str:
        return ""

    with pytest.raises(AssertionError, match="not after 20 s: the lamp is on; seen last: ''"):
        virtual_clock.run(wait_until_async(off, "the lamp is on", seconds=20))


def test_a_look_that_hangs_ends_with_the_time() -> None:
    async def hang() -> None:
        await asyncio.Event().wait()

    with pytest.raises(AssertionError, match="not after 20 s: it answers; seen last: nothing"):
        virtual_clock.run(wait_until_async(hang, "it answers", seconds=20))


def test_a_timeout_of_the_look_itself_is_not_taken_for_the_end_of_the_wait() -> None:
    async def run_out() -> None:
        async with asyncio.timeout(1):
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        virtual_clock.run(wait_until_async(run_out, "it answers", seconds=20))
