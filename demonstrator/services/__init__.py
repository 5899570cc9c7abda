"""The contracts of the demonstrator's services, which bundles provide and require."""

from demonstrator.services.data_path import DataStore, Processor, Producer, Queue, StatsProvider

__all__ = [
    "DataStore",
    "Processor",
    "Producer",
    "Queue",
    "StatsProvider",
]
