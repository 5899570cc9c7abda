"""An image of the user's own: pushed over TLS from the workstation, run in the cluster."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from runner.declaration.model import Declaration
from tests.support.cluster.images import Registry
from tests.support.cluster.pods import IMAGE, Pods

NAME, TAG = "cluster-tests/pushed", "1"


@pytest.fixture
def registry(declaration: Declaration, state: Path) -> Iterator[Registry]:
    """The cluster's registry, known by the authority in the state directory."""
    registry = Registry(f"{declaration.controller.address}:5000", state / "pki" / "ca" / "registry.crt")
    yield registry
    registry.close()


def test_a_pushed_image_runs(registry: Registry, pods: Pods, declaration: Declaration) -> None:
    """The README promises this. The workstation's Docker is not asked, and needs no settings."""
    digest = registry.derive(
        (IMAGE, "latest"), (NAME, TAG), {"Env": ["PATH=/usr/local/bin:/usr/bin:/bin", "SAYS=hello"]}
    )
    try:
        image = f"{declaration.controller.address}:5000/{NAME}:{TAG}"
        pods.create("pushed", image=image, command=["python3", "-c", "import os; print(os.environ['SAYS'])"])
        assert pods.finished("pushed") == "hello\n"
    finally:
        registry.delete(NAME, digest)


def test_a_stranger_is_not_believed(declaration: Declaration) -> None:
    """The registry's certificate is its own authority's, which no machine knows by itself."""
    session = requests.Session()
    session.trust_env = False
    with session, pytest.raises(requests.exceptions.SSLError):
        session.get(f"https://{declaration.controller.address}:5000/v2/", timeout=5)
