"""Image builds by the real Docker, and the contexts that they get."""

import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from runner.errors import MachineError, PrepareError
from runner.prepare import images
from runner.prepare.artifacts import Work
from runner.prepare.builds import root_filesystem
from runner.prepare.cache import file_digest, files_below, pack
from runner.prepare.catalogue import RootFilesystem
from runner.prepare.images import ImageInputs

# Lists network interfaces other than loopback and fails if there is one that is up.
INTERFACES = """
#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
int main(void) {
    struct ifaddrs *all;
    int found = 0;
    if (getifaddrs(&all)) return 2;
    for (struct ifaddrs *one = all; one; one = one->ifa_next)
        if ((one->ifa_flags & IFF_UP) && !(one->ifa_flags & IFF_LOOPBACK)) { puts(one->ifa_name); found = 1; }
    return found;
}
"""


@pytest.fixture
def client() -> Iterator[docker.DockerClient]:
    with images.docker_client() as connected:
        yield connected


def inputs(directory: Path) -> ImageInputs:
    return ImageInputs(directory, blobs={}, wheels={}, demonstrator={})


@pytest.fixture
def context(tmp_path: Path) -> Path:
    directory = tmp_path / "unit-test"
    directory.mkdir()
    source = tmp_path / "interfaces.c"
    source.write_text(INTERFACES, "utf-8")
    subprocess.run(["gcc", "-static", "-o", directory / "interfaces", source], check=True)
    return directory


@pytest.mark.filterwarnings("ignore:docker-credential-gone:UserWarning")
def test_a_helper_for_passwords_that_is_gone_is_named(
    tmp_path: Path, context: Path, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.json").write_text('{"credsStore": "gone"}', "utf-8")
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    (context / "Dockerfile").write_text("FROM scratch\n", "utf-8")
    with pytest.raises(MachineError, match="docker-credential-gone not installed"), images.docker_client() as client:
        images.build(client, inputs(context), "3.11", work)


def test_an_image_build_has_no_network(client: docker.DockerClient, context: Path, work: Work) -> None:
    (context / "Dockerfile").write_text('FROM scratch\nCOPY interfaces /\nRUN ["/interfaces"]\n', "utf-8")
    built = inputs(context)
    try:
        images.build(client, built, "3.11", work)
        assert client.images.list(built.tag)
    finally:
        if client.images.list(built.tag):
            client.images.remove(built.tag)
    assert not any(work.cache.tmp.iterdir())


def test_a_build_that_fails_says_at_which_step(client: docker.DockerClient, context: Path, work: Work) -> None:
    (context / "Dockerfile").write_text('FROM scratch\nCOPY interfaces /\nRUN ["/missing"]\n', "utf-8")
    with pytest.raises(PrepareError) as error:
        images.build(client, inputs(context), "3.11", work)
    assert "Image unit-test could not be built" in error.value.message
    assert 'RUN ["/missing"]' in error.value.details
    assert not client.images.list(inputs(context).tag)


def test_a_tag_depends_on_the_inputs(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\n", "utf-8")
    before = inputs(tmp_path).tag
    (tmp_path / "rootfs").mkdir()
    (tmp_path / "rootfs" / "extract.sh").write_text("true\n", "utf-8")
    assert inputs(tmp_path).tag == before  # hooks count through the root file system that they gave
    (tmp_path / "Dockerfile").write_text("FROM scratch\nUSER 1\n", "utf-8")
    assert inputs(tmp_path).tag != before


def test_packing_the_same_files_gives_the_same_bytes(tmp_path: Path) -> None:
    for name, mode in (("one", 0o600), ("two", 0o640)):
        (tmp_path / name / "bin").mkdir(parents=True)
        (tmp_path / name / "bin" / "tool").write_text("x", "utf-8")
        (tmp_path / name / "bin" / "tool").chmod(mode | 0o100)
        (tmp_path / name / "plain").write_text("y", "utf-8")
        pack(tmp_path / f"{name}.tar", files_below(tmp_path / name))
    assert file_digest(tmp_path / "one.tar") == file_digest(tmp_path / "two.tar")
    with tarfile.open(tmp_path / "one.tar") as tar:
        assert [(entry.name, entry.mode, entry.uid) for entry in tar] == [
            ("bin", 0o755, 0),
            ("bin/tool", 0o755, 0),
            ("plain", 0o644, 0),
        ]


def test_a_root_file_systems_key_depends_on_its_definition(tmp_path: Path, work: Work) -> None:
    definition = RootFilesystem(variant="minbase", packages=("systemd",))
    before = root_filesystem(tmp_path, definition, "bookworm", work).key.sha256
    assert root_filesystem(tmp_path, definition, "bookworm", work).key.sha256 == before
    (tmp_path / "rootfs").mkdir()
    (tmp_path / "rootfs" / "customize.sh").write_text("true\n", "utf-8")
    assert root_filesystem(tmp_path, definition, "bookworm", work).key.sha256 != before
