"""Ansible: inventories, playbook runs and what they report."""

from runner.ansible.inventory import build_inventory, read_endpoints, read_inventory, rendered
from runner.ansible.last_runs import LastRuns
from runner.ansible.play import PlaybookOptions, run_playbook

__all__ = [
    "LastRuns",
    "PlaybookOptions",
    "build_inventory",
    "read_endpoints",
    "read_inventory",
    "rendered",
    "run_playbook",
]
