"""An event loop whose clock jumps to the next timer instead of waiting for it: seconds pass exactly, and at once."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

_T = TypeVar("_T")


class _Selector(selectors.DefaultSelector):
    """Never blocks; what it was asked to wait has passed."""

    passed = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("everything waits, and no timer will ever end it")
        self.passed += max(0.0, timeout)
        return super().select(0)


class _Loop(asyncio.SelectorEventLoop):
    """A loop that tells the time of its selector."""

    def __init__(self, selector: _Selector) -> None:
        self._passing = selector
        super().__init__(selector)

    def time(self) -> float:
        return self._passing.passed


def run(work: Coroutine[Any, Any, _T]) -> _T:
    """Run to the end in a loop like this."""
    with asyncio.Runner(loop_factory=lambda: _Loop(_Selector())) as runner:
        return runner.run(work)
