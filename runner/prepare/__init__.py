"""Binaries and images: downloaded, built and stored in the cache."""

from typing import TYPE_CHECKING, Any

from runner.prepare.manifest import ReleaseManifest, load_release

if TYPE_CHECKING:
    from runner.prepare.pipeline import prepare

__all__ = ["ReleaseManifest", "load_release", "prepare"]


def __getattr__(name: str) -> Any:
    """Import `prepare` on first use: Docker's client and requests are slow to load."""
    if name == "prepare":
        from runner.prepare.pipeline import prepare

        return prepare
    raise AttributeError(name)
