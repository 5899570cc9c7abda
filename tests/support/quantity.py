"""Kubernetes' quantities, such as `100Mi`, as numbers."""

from collections.abc import Callable
from decimal import Decimal

from kubernetes.utils import quantity


def in_bytes(text: str) -> int:
    """What a quantity of memory is in bytes; ValueError for none."""
    parse: Callable[[str], Decimal] = quantity.parse_quantity  # has no types
    return int(parse(text))
