"""The declaration, and what is derived from it: hosts, their selection, and the certificates (module `pki`)."""

from runner.declaration.model import Cluster, Declaration, Host, load
from runner.declaration.own import Machine, OwnMachines

__all__ = ["Cluster", "Declaration", "Host", "Machine", "OwnMachines", "load"]
