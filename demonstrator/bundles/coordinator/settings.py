"""The coordinator's settings, from its pod's environment."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import get_args

from demonstrator.model.overview import ScalingPolicy


@dataclass(frozen=True, slots=True)
class Settings:
    """The coordinator's settings.

    Attributes:
        rule: SCALING_RULE, by which the number of processors is chosen; with manual, processors and the producers'
            rate are left alone.
        processors: PROCESSOR_CONTROLLERS, the replication controllers that share them, with commas in between. Each
            must have an image that exists: without one its share does no work.
        password: DASHBOARD_PASSWORD_HASH, of the password that changes need; "" when they need none.
        hosts: DASHBOARD_HOSTS, with commas in between: the names that the dashboard is opened by, beside addresses and
            localhost, which are always allowed. Changes from a page under any other name are refused.
        provisioning_url: PROVISIONING_URL, where the agents report their bundles.
    """

    rule: ScalingPolicy = "manual"
    processors: tuple[str, ...] = ("inaetics-processor-controller",)
    password: str = field(default="", repr=False)
    hosts: frozenset[str] = frozenset({"inaetics-viewer-service"})
    provisioning_url: str = ""

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> "Settings":
        """Return the settings of this environment; raises ValueError with the variable's name."""
        given = environment.get("SCALING_RULE", cls().rule)
        rules: tuple[ScalingPolicy, ...] = get_args(ScalingPolicy)
        rule = next((known for known in rules if known == given), None)
        if rule is None:
            raise ValueError(f"SCALING_RULE={given!r} is not one of {', '.join(rules)}")
        names = environment.get("PROCESSOR_CONTROLLERS", ",".join(cls().processors)).split(",")
        if not all(names) or len(set(names)) < len(names):
            raise ValueError(f"PROCESSOR_CONTROLLERS={','.join(names)!r} are not different names")
        hosts = environment.get("DASHBOARD_HOSTS", ",".join(cls().hosts)).lower().split(",")
        return cls(
            rule=rule,
            processors=tuple(names),
            password=environment.get("DASHBOARD_PASSWORD_HASH", ""),
            hosts=frozenset(filter(None, hosts)),
            provisioning_url=environment.get("PROVISIONING_URL", "").rstrip("/"),
        )
