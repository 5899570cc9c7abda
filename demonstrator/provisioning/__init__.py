"""The provisioning server: which target runs which bundles, and the bundles themselves."""
