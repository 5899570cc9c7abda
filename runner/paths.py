"""Where the project keeps things: the checkout, its state and the cache of all checkouts."""

import os
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
DECLARATION = CHECKOUT / "inventory" / "cluster.yml"
STATE = CHECKOUT / ".cluster"


def near(path: Path) -> Path:
    """A path as a person in the checkout would type it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def cache() -> Path:
    """The cache shared by every checkout of this user, per the XDG Base Directory Specification."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "inaetics-demo-cluster"
