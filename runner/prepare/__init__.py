"""Binaries and images: downloaded, built and kept in the cache."""
