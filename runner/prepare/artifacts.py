"""Artifacts, which are files that belong together, and the means to provide them.

A source that cannot be reached, or does not have the files, is one line of output, and the next one is
tried. A wrong checksum is an error: the file was changed or damaged.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.errors import PrepareError
from runner.events import Note, Progress, Report
from runner.prepare.cache import Cache, CacheKey, file_digest
from runner.process import NOT_FOUND, CommandError, JobRunner

MIRROR_HINT = "name a copy of another machine's cache: prepare --mirror DIRECTORY_OR_URL."
NETWORK_HINT = f"Correct the errors below; without a network, {MIRROR_HINT}"

# Fills a scratch directory and returns its files by the names that they have in the artifact, or is unavailable.
Source = Callable[[Path], dict[str, Path]]


class UnavailableError(Exception):
    """A source cannot provide a file; the message is one line."""


@dataclass(frozen=True)
class Artifact:
    """An artifact's key in the cache, and its sources in the order in which they are tried."""

    key: CacheKey
    sources: list[Source]


@dataclass(frozen=True)
class Work:
    """The means of one `prepare`: the cache, what it reports, and the programs of this machine."""

    cache: Cache
    report: Report
    jobs: JobRunner

    def note(self, message: str) -> None:
        """Report a message."""
        self.report(Note("prepare", message))

    def progress(self, item: str, doing: str, **details: Any) -> None:
        """Report the progress of an item; `details` are fields of Progress."""
        self.report(Progress("prepare", item, doing, **details))

    def run(self, command: Sequence[str], failure: str, hint: str, **options: Any) -> None:
        """Run a program, with options of JobRunner.run; `failure` and `hint` become a PrepareError where it fails."""
        try:
            self.jobs.run(command, **options)
        except CommandError as error:
            if error.code == NOT_FOUND:
                raise PrepareError(f"{command[0]} is not installed.", "Run `make site` or `doctor --fix`.") from error
            raise PrepareError(failure, hint, error.output) from error

    def provide(self, artifact: Artifact) -> dict[str, Path]:
        """Return an artifact's files from the cache, or from the first source that has them; raises PrepareError."""
        if (blobs := self.cache.lookup(artifact.key)) is not None:
            return blobs
        reasons = []
        for source in artifact.sources:
            with self.cache.scratch() as scratch:
                try:
                    files = source(scratch)
                except UnavailableError as reason:
                    reasons.append(str(reason))
                    continue
                blobs = self.cache.store(artifact.key, files)
            self.progress(artifact.key.name, "in the cache", finished=True)
            return blobs
        raise PrepareError(
            f"No source could provide {artifact.key.name}.",
            f"Connect this machine to a network, or {MIRROR_HINT}",
            "\n".join(reasons),
        )


def verify(path: Path, description: str, expected: str) -> None:
    """Raise PrepareError, whose message begins with `description`, unless a file has the expected SHA-256."""
    if (found := file_digest(path)) != expected:
        raise PrepareError(
            f"{description} has the wrong checksum: expected sha256 {expected}, found {found}.",
            "The file was changed, or is damaged at its source. Find out why before you use anything from there.",
        )
