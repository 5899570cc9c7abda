"""Which declared hosts a `--limit` names."""

from runner.declaration.model import Declaration


def named(limit: str | None, declaration: Declaration) -> list[str] | None:
    """The hosts of a list of hosts and groups; None (any host) where Ansible's patterns say more than that."""
    if limit is None:
        return None
    every = [host.name for host in declaration.hosts]
    controller, *nodes = every
    groups = {"all": every, "nodes": nodes, "etcd": [controller], **{name: [name] for name in every}}
    parts = [part for part in limit.replace(":", ",").split(",") if part]
    if not all(part in groups for part in parts):
        return None
    return list(dict.fromkeys(host for part in parts for host in groups[part]))
