"""The cluster as its Kubernetes API shows it: its state, and whether it is ready."""

from runner.cluster.api import Api, ApiError, configuration, kubeconfig
from runner.cluster.ready import wait_until_ready
from runner.cluster.status import get_status, print_status

__all__ = ["Api", "ApiError", "configuration", "get_status", "kubeconfig", "print_status", "wait_until_ready"]
