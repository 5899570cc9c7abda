"""Ansible: the dynamic inventory, playbook runs and what they report."""
