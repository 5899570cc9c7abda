"""The display of a run: events become lines (board, lines), which are drawn, printed or written (views)."""

from runner.display import lines
from runner.display.board import Board
from runner.display.views import EVENTS, JsonView, choose_view, console, read_events

__all__ = ["EVENTS", "Board", "JsonView", "choose_view", "console", "lines", "read_events"]
