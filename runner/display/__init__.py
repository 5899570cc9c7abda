"""The display of a run: events become lines (board, lines), which are drawn, printed or written (views)."""

from runner.display import lines
from runner.display.board import Board
from runner.display.views import JsonView, choose_view, console

__all__ = ["Board", "JsonView", "choose_view", "console", "lines"]
