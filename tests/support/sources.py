"""Sources of a file named `thing` and what they report: parts of the tests of releases and of mirrors."""

import hashlib
from pathlib import Path

from runner.events import Event, Note
from runner.prepare.artifacts import Artifact, Source, Work
from runner.prepare.cache import CacheKey

CONTENT = b"#!/bin/sh\necho a program\n" * 5000
OTHER = b"another program"
SUM = hashlib.sha256(CONTENT).hexdigest()
KEY = CacheKey("binaries", "thing", {"version": "v1.2.3"})


def get(work: Work, key: CacheKey, *sources: Source) -> dict[str, Path]:
    """Return the artifact with these sources, from the cache or the first that provides it."""
    return work.provide(Artifact(key, list(sources)))


def last_resort(scratch: Path) -> dict[str, Path]:
    """Provide the thing with other content."""
    (scratch / "thing").write_bytes(OTHER)
    return {"thing": scratch / "thing"}


def never(scratch: Path) -> dict[str, Path]:
    """Fail the test: an earlier source should have provided the thing, or ended the search."""
    raise AssertionError("this source must not be tried")


def notes(events: list[Event]) -> list[str]:
    """Return the lines of output about skipped sources."""
    return [event.message for event in events if isinstance(event, Note)]
