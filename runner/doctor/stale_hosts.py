"""Checks of hosts that earlier runs and other checkouts left on this machine."""

from runner.declaration import Declaration
from runner.doctor.findings import Finding, Snapshot
from runner.machines import Container

STALE_HOSTS = "hosts of other checkouts"


def stale_hosts(observed: Snapshot, declared: Declaration) -> Finding:
    """Find running hosts of another checkout on the same addresses, and those that belong to no checkout.

    A checkout that is not there may be on a disk that is not mounted, so its hosts are never removed here.
    """
    conflicting, orphans = conflicting_hosts(observed, declared), running_orphans(observed)
    parts, remedy = [], "Stop them; `vagrant up` in their checkout starts them again."
    if conflicting:
        parts.append(f"{len(conflicting)} of {_checkouts(conflicting)} run on the same addresses")
    if orphans:
        parts.append(f"{len(orphans)} are left over from a checkout that is gone ({_checkouts(orphans)})")
        ids = " ".join(one.id[:12] for one in orphans)
        remedy += f" `docker rm --force --volumes {ids}` would remove those left over, with their data."
    if not parts:
        return Finding(STALE_HOSTS, "ok", "none in the way")
    return Finding(STALE_HOSTS, "failure", "; ".join(parts), remedy, fixable=True)


def undeclared_hosts(observed: Snapshot, declared: Declaration) -> Finding:
    """Find running hosts of this checkout that cluster.yml no longer names."""
    check = "hosts of this checkout"
    names = {host.name for host in declared.hosts}
    extra = [one.host for one in observed.own_running if one.host not in names]
    if not extra:
        return Finding(check, "ok", f"{len(observed.own_running)} of {len(names)} run")
    text = f"{', '.join(sorted(extra))} run but are no longer declared"
    return Finding(check, "warning", text, "`make destroy`, then `make site`, makes the cluster as declared.")


def conflicting_hosts(observed: Snapshot, declared: Declaration) -> list[Container]:
    """Return the running hosts of other checkouts that have declared addresses."""
    wanted = {host.address for host in declared.hosts}
    return [
        one
        for one in observed.containers
        if one.running and one.checkout != observed.checkout and one.address in wanted and one not in observed.orphans
    ]


def running_orphans(observed: Snapshot) -> list[Container]:
    """Return the running hosts that belong to no checkout; a stopped one holds neither address nor port."""
    return [one for one in observed.orphans if one.running]


def _checkouts(hosts: list[Container]) -> str:
    return ", ".join(sorted({str(one.checkout) for one in hosts}))
