"""The agent: starts without bundles, fetches them from the provisioning server and runs them."""
