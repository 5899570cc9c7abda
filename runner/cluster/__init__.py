"""The cluster as its Kubernetes API shows it."""
