"""Helpers without knowledge of the demonstrator: JSON codec, Kubernetes client, native libraries, logging."""
