"""The directory of a run: its events, and whatever its steps write there."""

import shutil
import threading
from datetime import datetime
from pathlib import Path
from typing import Self

from runner.display.views import as_json, failure_as_json
from runner.errors import RunnerError
from runner.events import Event

KEPT = 20  # runs


class Record:
    """`.cluster/runs/TIME/` with `events.jsonl`, every event on a line; the oldest runs make room."""

    def __init__(self, state: Path) -> None:
        runs = state / "runs"
        runs.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.directory = runs / datetime.now().astimezone().strftime("%Y-%m-%dT%H.%M.%S.%f")
        self.directory.mkdir(mode=0o700)
        self._lock = threading.Lock()
        self._stream = (self.directory / "events.jsonl").open("w", encoding="utf-8", buffering=1)
        for old in sorted(path for path in runs.iterdir() if path.is_dir())[:-KEPT]:
            shutil.rmtree(old, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def report(self, event: Event) -> None:
        """Write down one event; may be called from any thread."""
        self._write(as_json(event))

    def fail(self, error: RunnerError) -> None:
        """Write down why the run ends."""
        self._write(failure_as_json(error))

    def _write(self, line: str) -> None:
        with self._lock:
            self._stream.write(line + "\n")
