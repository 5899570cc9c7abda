"""Service contracts between the bundles of different agents."""
