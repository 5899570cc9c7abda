"""The agent's settings, from its environment."""

from collections.abc import Mapping
from pathlib import Path

from demonstrator.lib.kubernetes import SERVICE_ACCOUNT, api_url
from demonstrator.platform import Identity


class SettingsError(Exception):
    """A variable of the environment is missing or wrong."""


class Settings:
    """The agent's settings; raises SettingsError with the name of a variable that is missing or wrong."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        def required(name: str) -> str:
            if value := environment.get(name):
                return value
            raise SettingsError(f"{name} is not set: set it in the pod's template")

        def port(name: str, default: str) -> int:
            value = environment.get(name, default)
            if not value.isdecimal() or not 0 < int(value) < 65536:
                raise SettingsError(f"{name}={value!r} is not a port number")
            return int(value)

        identity = ("AGENT_TARGET_ID", "POD_NAME", "POD_NAMESPACE", "NODE_NAME")
        self.identity = Identity(*map(required, identity))
        self.provisioning_url = required("PROVISIONING_URL").rstrip("/")
        self.kubernetes_url = api_url(environment)
        # With the files token and ca.crt.
        self.service_account = Path(environment.get("SERVICE_ACCOUNT_DIR", SERVICE_ACCOUNT))
        self.listen = environment.get("AGENT_LISTEN", "0.0.0.0")  # noqa: S104 - a pod's own address
        # For browsers and probes: pages of bundles, /services and /ready.
        self.pages_port = port("AGENT_PAGES_PORT", "8080")
        # For other agents: calls of exported services.
        self.services_port = port("AGENT_SERVICES_PORT", "8081")
        # For the health file and received bundles.
        self.state = Path(environment.get("AGENT_STATE_DIR", "/tmp"))  # noqa: S108 - the pod's own volume
