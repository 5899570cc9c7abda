"""The API server's audit log: who did what, and never what a Secret holds."""

import pytest

from tests.hosts.facts import Facts

testinfra_hosts = ["ansible://control_plane"]
pytestmark = pytest.mark.journal("kube-apiserver.service")

LOG = "/var/log/kubernetes/audit.log"
KUBECTL = "kubectl --kubeconfig=/etc/kubernetes/admin.kubeconfig --namespace=default"
SECRET, VALUE = "verify-audit-log", "written-in-the-log"


def test_knows_who_made_a_secret_but_not_the_secret(facts: Facts) -> None:
    """The log is read by more people than may read Secrets (CIS 3.2.1, 3.2.2)."""
    facts.output(f"{KUBECTL} create secret generic {SECRET} --from-literal=value={VALUE}")
    facts.output(f"{KUBECTL} delete secret {SECRET}")
    deletions = f'grep --fixed-strings \'"name":"{SECRET}"\' {LOG} | grep \'"verb":"delete"\''
    event = facts.json(f"{deletions} | tail --lines=1")
    who, what = event["user"]["username"], event["objectRef"]["resource"]
    assert (event["level"], who, what) == ("Metadata", "admin", "secrets")
    assert not event.keys() & {"requestObject", "responseObject"}
    assert facts.output(f"grep --count --fixed-strings {VALUE} {LOG} || true") == "0"
