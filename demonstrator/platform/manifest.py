"""A bundle's manifest: the file `bundle.json` beside its code."""

from typing import Annotated

from msgspec import Meta, Struct

from demonstrator.lib import codec

FILE_NAME = "bundle.json"


# The patterns end with \Z, since $ also matches before a line feed at the end.
class Manifest(Struct, frozen=True, forbid_unknown_fields=True):
    """The declaration of a bundle."""

    # Lower-case letters, digits and dashes.
    name: Annotated[str, Meta(pattern=r"^[a-z]([a-z0-9-]{0,61}[a-z0-9])?\Z")]
    # Three numbers, "1.0.0".
    version: Annotated[str, Meta(pattern=r"^\d{1,6}\.\d{1,6}\.\d{1,6}\Z")]
    # The Python package that holds its iPOPO components.
    module: Annotated[str, Meta(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*\Z")]
    # One line for people.
    description: str
    # The contracts it may require from other agents, by name.
    imports: tuple[str, ...]


class Offer(Struct, frozen=True, forbid_unknown_fields=True):
    """A bundle as the provisioning server offers it to an agent."""

    name: str
    version: str
    digest: str
    path: str


class BundleState(Struct, frozen=True, forbid_unknown_fields=True):
    """A bundle as an agent reports it back."""

    name: str
    version: str
    state: str


class Report(Struct, frozen=True, forbid_unknown_fields=True):
    """An agent's report to the provisioning server."""

    target: str
    node: str
    bundles: tuple[BundleState, ...]


def parse(text: bytes) -> Manifest:
    """Read a manifest; raises DecodeError naming the member that is wrong."""
    return codec.decode(Manifest, text, FILE_NAME)
