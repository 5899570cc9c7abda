"""Remote calls: contracts, proxies, exports and imports of services between agents."""
