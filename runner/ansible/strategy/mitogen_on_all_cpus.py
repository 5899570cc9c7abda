"""mitogen's linear strategy, on all CPUs.

mitogen pins its processes: where there are two CPUs, Ansible and all of its workers share one of them.
"""

from typing import Any

import ansible_mitogen.affinity  # type: ignore[import-untyped] # mitogen has no types
import ansible_mitogen.loaders  # type: ignore[import-untyped]
import ansible_mitogen.strategy  # type: ignore[import-untyped]

ansible_mitogen.affinity.policy = ansible_mitogen.affinity.Policy()  # the one that pins nothing
Linear: Any = ansible_mitogen.loaders.strategy_loader.get("linear", class_only=True)


class StrategyModule(ansible_mitogen.strategy.StrategyMixin, Linear):  # type: ignore[misc]
    """Ansible's linear strategy by mitogen."""
