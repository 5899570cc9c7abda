"""What agents and bundles agree on: contracts, the data they carry, the wire and the manifest.

`demonstrator` itself has no `__init__.py`: it is a namespace package, so that a bundle's archive
adds `demonstrator.bundles.NAME` to an agent whose image carries no bundle at all.
"""
