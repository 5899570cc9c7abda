"""What the coordinator is told through its pod's environment."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

from demonstrator.contracts.overview import Mode

PRODUCERS = ("inaetics-producer-controller",)


@dataclass(frozen=True, slots=True)
class Settings:
    """The coordinator's settings.

    Attributes:
        rule: SCALING_RULE, by which the number of processors is chosen; with manual, processors and
            the producers' rate are left alone.
        processors: PROCESSOR_CONTROLLERS, the replication controllers that share them, with
            commas in between. Each must have an image that exists: its share does no work else.
    """

    rule: Mode = "manual"
    processors: tuple[str, ...] = ("inaetics-processor-controller",)

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> "Settings":
        """The settings of this environment; raises ValueError with the variable's name."""
        given = environment.get("SCALING_RULE", cls().rule)
        rules: tuple[Mode, ...] = get_args(Mode)
        for rule in rules:
            if rule == given:
                break
        else:
            raise ValueError(f"SCALING_RULE={given!r} is not one of {', '.join(rules)}")
        names = environment.get("PROCESSOR_CONTROLLERS", ",".join(cls().processors)).split(",")
        if not all(names) or len(set(names)) < len(names):
            raise ValueError(f"PROCESSOR_CONTROLLERS={','.join(names)!r} are not different names")
        return cls(rule, tuple(names))
