"""The declaration, and what is derived from it: hosts, their selection, and the certificates (module `pki`)."""

from runner.declaration.model import Declaration, Host, load

__all__ = ["Declaration", "Host", "load"]
