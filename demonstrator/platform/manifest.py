"""A bundle's manifest: the file `bundle.json` beside its code."""

import re

from msgspec import Struct

from demonstrator.lib import codec

FILE_NAME = "bundle.json"

_NAME = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
_VERSION = re.compile(r"\d{1,6}\.\d{1,6}\.\d{1,6}")
_MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


class Manifest(Struct, frozen=True, forbid_unknown_fields=True):
    """What a bundle says about itself.

    Attributes:
        name: lower-case letters, digits and dashes.
        version: three numbers, "1.0.0".
        module: the Python package that holds its iPOPO components.
        description: one line for people.
        imports: the contracts it may require from other agents, by name.
    """

    name: str
    version: str
    module: str
    description: str
    imports: tuple[str, ...]

    def __post_init__(self) -> None:
        for value, pattern in (
            (self.name, _NAME),
            (self.version, _VERSION),
            (self.module, _MODULE),
        ):
            if not pattern.fullmatch(value):
                raise ValueError(f"{value[:40]!r} does not match {pattern.pattern}")


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
    """What an agent tells the provisioning server about itself."""

    target: str
    node: str
    bundles: tuple[BundleState, ...]


def parse(text: bytes) -> Manifest:
    """Read a manifest; raises DecodeError naming the member that is wrong."""
    return codec.decode(Manifest, text, FILE_NAME)
