"""Ansible: the dynamic inventory, playbook runs and what they report."""

from runner.ansible.inventory import build_inventory
from runner.ansible.play import VAGRANT_INVENTORY, PlaybookOptions, run_playbook

__all__ = ["VAGRANT_INVENTORY", "PlaybookOptions", "build_inventory", "run_playbook"]
