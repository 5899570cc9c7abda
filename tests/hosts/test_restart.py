"""Services that die. Only those are killed here whose absence hurts nobody for a second."""

import pytest

from tests.hosts.facts import Facts
from tests.support.polling import wait_until

pytestmark = pytest.mark.disruptive
testinfra_hosts = ["ansible://control_plane"]

RESTART = 20.0  # seconds; flanneld alone may take ten until it has its lease


@pytest.mark.journal("docker-registry.service")
def test_registry_comes_back(facts: Facts) -> None:
    """Restart=always is only a word until systemd keeps it."""
    asked = facts.fill("curl -sS --cacert {docker_registry_config_dir}/ca.crt https://{cluster_registry}/v2/")
    _kill(facts, "docker-registry.service")
    wait_until(
        lambda: facts.output(f"{asked} 2>&1 || true"),
        "the registry answers again",
        lambda answer: answer == "{}",
        seconds=RESTART,
    )


@pytest.mark.journal("flanneld.service")
def test_flanneld_keeps_its_lease(facts: Facts) -> None:
    """Pods keep their addresses while flanneld is away, so it must come back with the same network."""
    lease = facts.text("/run/flannel/subnet.env")
    _kill(facts, "flanneld.service")
    assert facts.text("/run/flannel/subnet.env") == lease


def _kill(facts: Facts, unit: str) -> None:
    before = facts.output(f"systemctl show --property=MainPID --value {unit}")
    facts.output(f"systemctl kill --kill-whom=main --signal=KILL {unit}")
    wait_until(
        lambda: facts.output(f"systemctl show --property=MainPID,ActiveState --value {unit}").split(),
        f"{unit} is active with another process than {before}",
        lambda seen: "active" in seen and before not in seen,
        seconds=RESTART,
    )
