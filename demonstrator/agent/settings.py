"""The agent's settings, from its environment."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from demonstrator.lib.kubernetes import SERVICE_ACCOUNT, api_url
from demonstrator.platform import Identity


class SettingsError(Exception):
    """A variable of the environment is missing or wrong."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The agent's settings, from the variables that `read` names.

    The port for pages is for browsers and probes, that for services is for other agents. The service account is a
    directory with the files token and ca.crt; the directory `state` has the health file and received bundles.
    """

    identity: Identity
    provisioning_url: str
    kubernetes_url: str
    service_account: Path
    listen: str
    pages_port: int
    services_port: int
    state: Path

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> "Settings":
        """Read the settings; raises SettingsError with the variable's name."""

        def required(name: str) -> str:
            if value := environment.get(name):
                return value
            raise SettingsError(f"{name} is not set: set it in the pod's template")

        def port(name: str, default: str) -> int:
            value = environment.get(name, default)
            if not value.isdecimal() or not 0 < int(value) < 65536:
                raise SettingsError(f"{name}={value!r} is not a port number")
            return int(value)

        variables = ("AGENT_TARGET_ID", "POD_NAME", "POD_NAMESPACE", "NODE_NAME")
        return cls(
            identity=Identity(*map(required, variables)),
            provisioning_url=required("PROVISIONING_URL").rstrip("/"),
            kubernetes_url=api_url(environment),
            service_account=Path(environment.get("SERVICE_ACCOUNT_DIR", SERVICE_ACCOUNT)),
            listen=environment.get("AGENT_LISTEN", "0.0.0.0"),  # noqa: S104 - a pod's own address
            pages_port=port("AGENT_PAGES_PORT", "8080"),
            services_port=port("AGENT_SERVICES_PORT", "8081"),
            state=Path(environment.get("AGENT_STATE_DIR", "/tmp")),  # noqa: S108 - the pod's own volume
        )
