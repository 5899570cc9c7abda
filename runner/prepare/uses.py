"""Uses that the checkouts of this machine make of the cache and of Docker's images; `clean` removes the rest."""

import shutil
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from docker import DockerClient
from pydantic import BaseModel, ValidationError

from runner.errors import PrepareError
from runner.prepare.cache import Cache, CacheEntry, digest
from runner.prepare.images import PREFIX
from runner.state import State, write_atomically


class Use(BaseModel, frozen=True, extra="forbid"):
    """Use that one checkout makes of it: the content of uses/DIGEST.json in the cache.

    `releases` are those that it has prepared since its last `site`, the newest last: hosts may run with an earlier one.
    """

    checkout: Path
    releases: tuple[str, ...]
    recipes: tuple[str, ...]
    images: tuple[str, ...]

    def record(self, cache: Cache) -> None:
        """Keep what was prepared, beside the earlier releases."""
        path = _path(cache, self.checkout)
        former = _read(path)
        earlier = [one for one in former.releases if one not in self.releases] if former else []
        _write(path, self.model_copy(update={"releases": (*earlier, *self.releases)}))

    @staticmethod
    def settle(cache: Cache, checkout: Path) -> None:
        """Forget the earlier releases of a checkout, whose hosts all have the last one."""
        path = _path(cache, checkout)
        if use := _read(path):
            _write(path, use.model_copy(update={"releases": use.releases[-1:]}))


@dataclass(frozen=True)
class Unused:
    """Directories and files of the cache and tags of images that no checkout uses."""

    releases: Sequence[Path]
    files: Sequence[Path]
    images: Sequence[str]

    @property
    def size(self) -> int:
        """The bytes by which the cache shrinks; the programs of a release are links to files."""
        archives = (path / "registry.tar" for path in self.releases)
        return sum(path.stat().st_size for path in (*archives, *self.files) if path.exists())


def find_unused(cache: Cache, client: DockerClient, owners: Collection[Path]) -> Unused:
    """Return what no checkout uses; `owners` are the checkouts that have hosts.

    Raises PrepareError if one of the owners has not said what it uses.
    """
    uses = dict(_uses(cache))
    if unknown := sorted({str(one) for one in owners} - {str(use.checkout) for use in uses}):
        message = f"What the hosts of {', '.join(unknown)} use is not known."
        raise PrepareError(message, "Run `python -m runner prepare` there, or `python -m runner destroy`.")
    releases = {
        name for use, current in uses.items() for name in (use.releases if use.checkout in owners else [current])
    }
    recipes = {f"{key}.json" for use in uses for key in use.recipes}
    blobs = {blob for name in recipes for blob in _blobs(cache.recipes / name)}
    linked = {path.stat().st_ino for name in releases for path in (cache.releases / name).glob("bin/*")}
    tags = {tag for image in client.images.list() for tag in image.tags if tag.startswith(PREFIX)}
    running = {str(container.attrs["Config"]["Image"]) for container in client.containers.list(all=True)}
    return Unused(
        releases=[path for path in sorted(cache.releases.iterdir()) if path.name not in releases],
        files=[
            *(path for path in sorted(cache.recipes.iterdir()) if path.name not in recipes),
            *(
                one
                for one in sorted(cache.blobs.iterdir())
                if one.name not in blobs and one.stat().st_ino not in linked
            ),
        ],
        images=sorted(tags - {tag for use in uses for tag in use.images} - running),
    )


def remove(unused: Unused, client: DockerClient) -> None:
    """Remove what is not used; releases first, so that none is left without its files."""
    for directory in unused.releases:
        shutil.rmtree(directory)
    for file in unused.files:
        file.unlink()
    for tag in unused.images:
        client.images.remove(tag)


def _uses(cache: Cache) -> Iterator[tuple[Use, str]]:
    """Yield the uses of the checkouts that are still there, each with the release that its state links to."""
    for path in cache.uses.iterdir():
        use = _read(path)
        current = State(use.checkout).release.resolve() if use else Path()
        if use and current.parent == cache.releases.resolve() and current.name in use.releases:
            yield use, current.name


def _path(cache: Cache, checkout: Path) -> Path:
    return cache.uses / f"{digest(str(checkout))}.json"


def _read(path: Path) -> Use | None:
    try:
        return Use.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def _write(path: Path, use: Use) -> None:
    write_atomically(path, use.model_dump_json().encode())


def _blobs(recipe: Path) -> Collection[str]:
    try:
        return CacheEntry.model_validate_json(recipe.read_bytes()).files.values()
    except (FileNotFoundError, ValidationError):
        return ()
