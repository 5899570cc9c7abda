"""The display of a run: events become lines (board), which are drawn, printed or written (views)."""

from runner.display import lines
from runner.display.board import Board
from runner.display.views import as_json, choose_view, console

__all__ = ["Board", "as_json", "choose_view", "console", "lines"]
