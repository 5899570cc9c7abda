"""The catalogue is typed data; a mistake in it is named, not met half-way through a build."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from runner.errors import PrepareError
from runner.prepare.catalogue import Catalogue, load
from runner.state import CHECKOUT

ARTIFACTS = CHECKOUT / "artifacts"


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load(ARTIFACTS / "catalogue.yml")


def test_every_component_has_a_go_module_that_names_its_packages(catalogue: Catalogue) -> None:
    for name, component in catalogue.components.items():
        module = (ARTIFACTS / "go" / name / "go.mod").read_text("utf-8")
        for binary in component.binaries.values():
            assert binary.package in module


def test_modules_are_pinned_to_the_catalogues_versions(catalogue: Catalogue) -> None:
    for name, component in catalogue.components.items():
        assert f" {component.version}" in (ARTIFACTS / "go" / name / "go.mod").read_text("utf-8")


def test_every_image_has_a_dockerfile_and_the_tag_of_what_it_carries(catalogue: Catalogue) -> None:
    for name, image in catalogue.images.items():
        assert (ARTIFACTS / "images" / name / "Dockerfile").is_file()
        for component in catalogue.components.values():
            if set(image.binaries) & set(component.binaries):
                assert image.repository is not None
                assert image.repository.rpartition(":")[2] in (component.version, component.version.removeprefix("v"))


def test_applications_pin_their_wheels_by_hash(catalogue: Catalogue) -> None:
    for name, image in catalogue.images.items():
        if image.application:
            assert "--hash=sha256:" in (ARTIFACTS / "images" / name / "requirements.txt").read_text("utf-8")


def component(data: Any) -> Any:
    return data["components"]["etcd"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data.update(colour="red"), "colour: Extra inputs are not permitted"),
        (lambda data: component(data).update(version="3.7.3"), "components.etcd.version: String should match"),
        (
            lambda data: component(data).update(binaries={}),
            "components.etcd.binaries: Dictionary should have at least",
        ),
        (lambda data: component(data)["binaries"]["etcd"].update(sha256="abc"), "it is 'abc'"),
        (lambda data: component(data)["binaries"]["etcd"].pop("sha256"), "etcd: a binary has a sha256 exactly where"),
        (lambda data: component(data)["release"].update(url="ftp://x"), "components.etcd.release.url"),
        (lambda data: data["images"]["coredns"].update(binaries=["none"]), "no component has the binaries none"),
        (lambda data: data["images"]["base"].update(base="felix-agent"), "its base felix-agent must come before it"),
        (lambda data: data["images"]["pause"].update(application=True), "an application image needs a base"),
        (lambda data: data["images"].pop("host"), "images: host is missing"),
        (lambda data: data["components"].update(copy=component(data)), "binaries of more than one component: etcd"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, change: Callable[[Any], None], message: str) -> None:
    data = yaml.safe_load((ARTIFACTS / "catalogue.yml").read_text("utf-8"))
    change(data)
    path = tmp_path / "catalogue.yml"
    path.write_text(yaml.safe_dump(data, sort_keys=False), "utf-8")
    with pytest.raises(PrepareError) as error:
        load(path)
    assert message in error.value.message
    assert str(path) in error.value.message


def test_what_is_not_yaml_is_named(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.yml"
    path.write_text("go: [", "utf-8")
    with pytest.raises(PrepareError, match="is not YAML"):
        load(path)
