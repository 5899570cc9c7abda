"""The API server's audit log: who did what, and never what a Secret holds."""

import pytest

from tests.hosts.facts import Facts

testinfra_hosts = ["ansible://control_plane"]
pytestmark = pytest.mark.journal("kube-apiserver.service")

SECRET, VALUE = "verify-audit-log", "written-in-the-log"


def test_knows_who_made_a_secret_but_not_the_secret(facts: Facts) -> None:
    """The log is read by more people than may read Secrets (CIS 3.2.1, 3.2.2)."""
    kubectl, log = f"{facts.kubectl} --namespace=default", facts.variables["kube_master_audit_log"]
    facts.output(f"{kubectl} create secret generic {SECRET} --from-literal=value={VALUE}")
    facts.output(f"{kubectl} delete secret {SECRET}")
    deletions = f'grep --fixed-strings \'"name":"{SECRET}"\' {log} | grep \'"verb":"delete"\''
    event = facts.json(f"{deletions} | tail --lines=1")
    who, what = event["user"]["username"], event["objectRef"]["resource"]
    assert (event["level"], who, what) == ("Metadata", "admin", "secrets")
    assert not event.keys() & {"requestObject", "responseObject"}
    assert facts.output(f"grep --count --fixed-strings {VALUE} {log} || true") == "0"
