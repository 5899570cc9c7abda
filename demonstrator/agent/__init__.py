"""The agent: starts blank, is given its bundles by the provisioning server and runs them."""
