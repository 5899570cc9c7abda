"""The coordinator's settings, from its pod's environment."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

from demonstrator.model.overview import ScalingPolicy


@dataclass(frozen=True, slots=True)
class Settings:
    """The coordinator's settings.

    Attributes:
        rule: SCALING_RULE; with manual, processors and the producers' rate are left alone.
        processors: PROCESSOR_CONTROLLERS, with commas in between: the replication controllers that share the
            processors. Each must have an image that exists: without one its share does no work.
        password: DASHBOARD_PASSWORD_HASH, of the password that changes need; "" when they need none.
        hosts: DASHBOARD_HOSTS, with commas in between: the names that changes may be made under, beside addresses and
            localhost.
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
        rule: Any = environment.get("SCALING_RULE", cls().rule)
        if rule not in get_args(ScalingPolicy):
            raise ValueError(f"SCALING_RULE={rule!r} is not one of {', '.join(get_args(ScalingPolicy))}")
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
