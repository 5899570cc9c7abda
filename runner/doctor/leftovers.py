"""Checks of hosts that earlier runs and other checkouts left on this machine."""

from runner.declaration.model import Declaration
from runner.doctor.findings import Finding, Snapshot
from runner.machines.containers import Container

STALE_HOSTS = "hosts of other checkouts"


def stale_hosts(seen: Snapshot, declared: Declaration) -> Finding:
    """Hosts that another checkout left running on the same addresses, or that nobody knows any more."""
    rivals, orphans = rival_hosts(seen, declared), seen.orphans
    if not rivals and not orphans:
        return Finding(STALE_HOSTS, "ok", "none in the way")
    places = ", ".join(sorted({str(one.checkout) for one in rivals}))
    parts = [f"{len(rivals)} of {places} run on the same addresses"] if rivals else []
    parts += [f"{len(orphans)} are left over from a checkout that is gone"] if orphans else []
    remedy = ["stop those that run (`vagrant up` in their checkout brings them back)"] if rivals else []
    remedy += ["remove those left over"] if orphans else []
    text = f"`python -m runner doctor --fix` would {' and '.join(remedy)}."
    return Finding(STALE_HOSTS, "failure", "; ".join(parts), text, mendable=True)


def undeclared_hosts(seen: Snapshot, declared: Declaration) -> Finding:
    """Hosts of this checkout that cluster.yml no longer names."""
    check = "hosts of this checkout"
    names = {host.name for host in declared.hosts}
    extra = [one.host for one in seen.own_running if one.host not in names]
    if not extra:
        return Finding(check, "ok", f"{len(seen.own_running)} of {len(names)} run")
    seen_text = f"{', '.join(sorted(extra))} run but are no longer declared"
    return Finding(check, "warning", seen_text, "`make destroy`, then `make site`, makes the cluster as declared.")


def rival_hosts(seen: Snapshot, declared: Declaration) -> list[Container]:
    """Running hosts of other checkouts that hold the declared addresses."""
    wanted = {host.address for host in declared.hosts}
    return [
        one
        for one in seen.containers
        if one.running and one.checkout != seen.checkout and one.address in wanted and one not in seen.orphans
    ]
