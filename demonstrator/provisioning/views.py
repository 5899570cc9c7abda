"""The REST interface's JSON and the page: targets, their bundles, and the agents that run them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import jinja2
from msgspec import Struct

from demonstrator.platform.manifest import Report
from demonstrator.provisioning.archive import BundleArchive
from demonstrator.provisioning.repository import Repository
from demonstrator.provisioning.state import Assignment

# The page shows the newest changes; /audit has all of them.
_ENTRIES_SHOWN = 20

_FILES = Path(__file__).resolve().parent
_templates = jinja2.Environment(
    loader=jinja2.FileSystemLoader(_FILES / "templates"),
    autoescape=True,  # names, descriptions and reports come from outside
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.filters["utc"] = lambda seconds: datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
STYLE = (_FILES / "style.css").read_text("utf-8")


@dataclass(frozen=True, slots=True)
class AgentStatus:
    """An agent's last report, and when it came in seconds since the epoch."""

    report: Report
    at: float


@dataclass(frozen=True, slots=True)
class TargetInfo:
    """A target in an answer.

    Attributes:
        revision: another one whenever its bundles are others.
        by_hand: how many assignments were made by hand, and so can be rolled back.
        bundles: the bundles that it runs.
    """

    revision: str
    by_hand: int
    bundles: Assignment


@dataclass(frozen=True, slots=True)
class BundleInfo:
    """A bundle in an answer, with the targets that run it."""

    name: str
    version: str
    digest: str
    description: str
    size: int
    files: tuple[str, ...]
    from_image: bool
    targets: tuple[str, ...]


class AssignmentRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a request that assigns a bundle."""

    version: str


def target_info(repository: Repository, name: str) -> TargetInfo:
    """Describe a target as it is now."""
    return TargetInfo(repository.revision(name), len(repository.state.history(name)), repository.assignment(name))


def bundle_info(repository: Repository, bundle: BundleArchive) -> BundleInfo:
    """Describe a bundle, with the targets that run it."""
    return BundleInfo(
        bundle.manifest.name,
        bundle.manifest.version,
        bundle.digest,
        bundle.manifest.description,
        len(bundle.content),
        bundle.files,
        from_image=bundle in repository.image.bundles.values(),
        targets=tuple(name for name in repository.image.targets if bundle.ref in repository.assignment(name)),
    )


def render_page(repository: Repository, agents: Mapping[str, AgentStatus], now: float) -> str:
    """Render the page as HTML.

    Args:
        repository: targets, bundles and changes.
        agents: the agents that have reported, by pod.
        now: seconds since the epoch.
    """
    bundles = [bundle_info(repository, bundle) for bundle in repository.bundles()]
    return _templates.get_template("page.html").render(
        targets={name: target_info(repository, name) for name in repository.image.targets},
        bundles=bundles,
        descriptions={bundle.digest: bundle.description for bundle in bundles},
        agents=sorted(agents.items()),
        audit=repository.state.audit[:_ENTRIES_SHOWN],
        now=now,
    )
