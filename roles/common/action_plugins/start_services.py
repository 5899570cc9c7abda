"""Action of module start_services: tells it the role."""

from typing import Any

from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):  # type: ignore[misc] # Ansible has no types
    """Start services on a host."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the module's result."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        role = self._task._role.get_name() if self._task._role else ""
        arguments = {**self._task.args, "role": role}
        return result | self._execute_module("start_services", arguments, task_vars=task_vars)
