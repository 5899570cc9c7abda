"""The registry: the prepared images, over TLS, to clients that know its authority."""

import pytest

from tests.hosts.facts import Facts

testinfra_hosts = ["ansible://control_plane"]
pytestmark = pytest.mark.journal("docker-registry.service")

IMAGES = {
    "coredns/coredns",
    "inaetics/felix-agent",
    "inaetics/node-provisioning",
    "metrics-server/metrics-server",
    "pause",
}
CURL_UNKNOWN_AUTHORITY = "(60)"


def test_has_the_prepared_images(facts: Facts) -> None:
    """The cluster is offline: what is not here cannot be run."""
    assert (
        set(facts.json(f"curl -sS --cacert {_authority(facts)} {_url(facts)}/v2/_catalog?n=1000")["repositories"])
        >= IMAGES
    )


def test_is_not_believed_without_its_authority(facts: Facts) -> None:
    """A client without the cluster's authority must not take images from an address that anybody could have."""
    assert CURL_UNKNOWN_AUTHORITY in facts.refused(f"curl -sS {_url(facts)}/v2/")


def test_speaks_modern_tls_only(facts: Facts) -> None:
    """Images are code: neither plain HTTP nor an old protocol carries them."""
    facts.refused(f"curl -sS --tls-max 1.1 --cacert {_authority(facts)} {_url(facts)}/v2/")
    facts.refused(f"curl -sS --fail http://{facts.variables['cluster_registry']}/v2/")


def _url(facts: Facts) -> str:
    return facts.fill("https://{cluster_registry}")


def _authority(facts: Facts) -> str:
    return facts.fill("{docker_registry_config_dir}/ca.crt")
