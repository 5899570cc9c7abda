"""The declaration, and what is derived from it: hosts, their selection, and the certificates (module `pki`)."""

from runner.declaration.model import Cluster, Declaration, Endpoints, Host, load
from runner.declaration.own import Machine, OwnMachines

__all__ = ["Cluster", "Declaration", "Endpoints", "Host", "Machine", "OwnMachines", "load"]
