"""The agent's interface for bundles (a service provider interface), and the manifest of a bundle."""
