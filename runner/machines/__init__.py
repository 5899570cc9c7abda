"""Machines: hosts (module `hosts`), Docker's containers, Vagrant and ssh."""

from runner.machines.containers import Container, Docker, Member, Network
from runner.machines.hosts import is_orphaned
from runner.machines.ssh import SshTarget

__all__ = ["Container", "Docker", "Member", "Network", "SshTarget", "is_orphaned"]
