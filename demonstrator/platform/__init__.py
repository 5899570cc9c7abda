"""The agent's interface for bundles (a service provider interface), and the manifest of a bundle."""

from demonstrator.platform.spi import (
    Container,
    Drainable,
    Identity,
    KubernetesApi,
    Pod,
    PodDirectory,
    Runtime,
    WebEndpoints,
    local_service,
)

__all__ = [
    "Container",
    "Drainable",
    "Identity",
    "KubernetesApi",
    "Pod",
    "PodDirectory",
    "Runtime",
    "WebEndpoints",
    "local_service",
]
