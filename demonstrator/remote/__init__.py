"""Remote calls: contracts, proxies, exports and imports of services between agents."""

from demonstrator.remote.contracts import RemoteError, contract, idempotent, wire_name

__all__ = ["RemoteError", "contract", "idempotent", "wire_name"]
