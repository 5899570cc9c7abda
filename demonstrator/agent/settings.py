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
    """The agent's settings.

    Attributes:
        identity: AGENT_TARGET_ID, POD_NAME, POD_NAMESPACE and NODE_NAME.
        provisioning_url: PROVISIONING_URL, where the agent's bundles come from.
        kubernetes_url: KUBERNETES_URL, or the address that Kubernetes gives every pod.
        service_account: SERVICE_ACCOUNT_DIR, with the files token and ca.crt.
        listen: AGENT_LISTEN, the address to listen on.
        pages_port: AGENT_PAGES_PORT, for browsers and probes: pages of bundles, /services and /ready.
        services_port: AGENT_SERVICES_PORT, for other agents: calls of exported services.
        state: AGENT_STATE_DIR, the directory of the health file and of received bundles.
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

        return cls(
            identity=Identity(
                target=required("AGENT_TARGET_ID"),
                pod=required("POD_NAME"),
                namespace=required("POD_NAMESPACE"),
                node=required("NODE_NAME"),
            ),
            provisioning_url=required("PROVISIONING_URL").rstrip("/"),
            kubernetes_url=api_url(environment),
            service_account=Path(environment.get("SERVICE_ACCOUNT_DIR", SERVICE_ACCOUNT)),
            listen=environment.get("AGENT_LISTEN", "0.0.0.0"),  # noqa: S104 - a pod's own address
            pages_port=port("AGENT_PAGES_PORT", "8080"),
            services_port=port("AGENT_SERVICES_PORT", "8081"),
            state=Path(environment.get("AGENT_STATE_DIR", "/tmp")),  # noqa: S108 - the pod's own volume
        )
