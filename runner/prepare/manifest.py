"""A release's manifest.json, the one description of a release that all its readers share."""

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from runner.errors import PrepareError
from runner.state import State

FILE_NAME = "manifest.json"


class ReleaseManifest(BaseModel):
    """One release: its binaries by name with their SHA-256, its images by repository with their digests.

    `directory` is where the release lies; it is not in the file.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    id: str
    host_image: str
    binaries: dict[str, str]
    images: dict[str, str]
    directory: Path = Field(default=Path(), exclude=True)

    @classmethod
    def read(cls, directory: Path) -> Self:
        """Read the manifest of the release in `directory`.

        Raises:
            FileNotFoundError: there is none.
            ValidationError: it was not written by this version of the runner.
        """
        manifest = cls.model_validate_json((directory / FILE_NAME).read_bytes())
        return manifest.model_copy(update={"directory": directory})


def load_release(state: State) -> ReleaseManifest:
    """Read the release that `prepare` made for a checkout.

    Raises:
        PrepareError: `prepare` has not run in this checkout, or its release is gone.
    """
    try:
        return ReleaseManifest.read(state.release.resolve(strict=True))
    except (FileNotFoundError, ValidationError):
        raise PrepareError("Nothing is prepared for this checkout yet.", "Run `make prepare` first.") from None
