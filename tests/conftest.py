"""The markers and the order of all tests."""

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Name what tests are marked with."""
    config.addinivalue_line("markers", "disruptive: takes something away from the cluster; runs after all others")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the disruptive tests last: the others meet the cluster as it was raised."""
    items.sort(key=lambda item: item.get_closest_marker("disruptive") is not None)
