"""Binaries and images, stored in the cache by module `pipeline`; and the manifest of what it prepared."""

from pathlib import Path
from typing import Self

from pydantic import BaseModel, Field, ValidationError

FILE_NAME = "manifest.json"


class ReleaseManifest(BaseModel, frozen=True, extra="forbid"):
    """One release: its binaries by name with their SHA-256, its images by repository with their digests.

    `directory` is where the release lies; it is not in the file.
    """

    id: str
    host_image: str
    binaries: dict[str, str]
    images: dict[str, str]
    directory: Path = Field(default=Path(), exclude=True)

    @classmethod
    def read(cls, directory: Path) -> Self | None:
        """Read a release's manifest; None if there is none, or none that this version of the runner has written."""
        try:
            manifest = cls.model_validate_json((directory / FILE_NAME).read_bytes())
        except (FileNotFoundError, ValidationError):
            return None
        return manifest.model_copy(update={"directory": directory})
