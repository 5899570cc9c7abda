"""Showing a run: events become lines (board, lines), the lines are drawn, printed or written (views)."""
