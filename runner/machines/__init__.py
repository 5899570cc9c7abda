"""Machines: Docker containers, Vagrant and ssh."""
