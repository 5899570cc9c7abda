"""The thin driver of inaetics-demo-cluster: `python -m runner COMMAND`."""
