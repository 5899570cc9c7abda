"""Translation of ansible-runner's events: which task runs on which host, its outcome, and the cause of a failure."""

from collections import deque
from dataclasses import dataclass
from typing import IO, Any

from runner.events import Note, Progress, Report, TaskFinished

STEP = "roles"
OUTPUT_TAIL = 12  # lines of Ansible's own output that explain a failure without a task

# The unit whose journal explains why a role's service does not come up.
ROLE_UNITS = {
    "etcd": "etcd.service",
    "flannel": "flanneld.service",
    "docker-registry": "docker-registry.service",
    "kube-master": "kube-apiserver.service",
    "kube-node": "kubelet.service",
    "kube-proxy": "kube-proxy.service",
    "inaetics-app": "inaetics.service",
}
UNIT_MODULES = {"systemd_service", "systemd", "service"}
WAITING_MODULES = {"uri", "wait_for"}


@dataclass(frozen=True)
class HostRecap:
    """The number of tasks by outcome on one host."""

    ok: int = 0
    changed: int = 0
    skipped: int = 0
    failed: int = 0
    unreachable: int = 0


@dataclass(frozen=True)
class Recap:
    """The result of a playbook by host."""

    hosts: dict[str, HostRecap]

    @property
    def tasks(self) -> int:
        """The number of tasks that ran, over all hosts."""
        return sum(host.ok + host.failed + host.skipped for host in self.hosts.values())

    @property
    def changed(self) -> int:
        """The number of tasks that changed something, over all hosts."""
        return sum(host.changed for host in self.hosts.values())

    def summary(self) -> str:
        """Return the result in a few words: `changed=0 on 6 hosts`."""
        count = len(self.hosts)
        return f"changed={self.changed} on {count} host{'' if count == 1 else 's'}"


@dataclass(frozen=True)
class Failure:
    """A task that failed on one host; `unit` is the systemd unit that it managed or waited for, if any."""

    host: str
    where: str
    message: str
    output: str
    unit: str
    unreachable: bool


class EventTranslator:
    """Receives ansible-runner's events, in its thread, one at a time."""

    def __init__(self, report: Report, log: IO[str] | None = None) -> None:
        self._report = report
        self._log = log
        self.failures: list[Failure] = []
        self.recap = Recap({})
        self.output_tail: deque[str] = deque(maxlen=OUTPUT_TAIL)
        self.callback_error: Exception | None = None

    @property
    def first_failure(self) -> Failure | None:
        """The first failure; if its task failed on several hosts, on the first of them by name."""
        first = self.failures[:1]
        same = [failure for failure in self.failures if failure.where == first[0].where]
        return min(same, key=lambda failure: failure.host, default=None)

    def handle(self, event: dict[str, Any]) -> bool:
        """Translate one event.

        An exception here would be lost in ansible-runner's thread, so it is stored for the caller.

        Returns:
            False: ansible-runner need not store the event, since its directory is temporary.
        """
        try:
            text = str(event.get("stdout", "")).replace("\r\n", "\n").strip("\n")  # it comes through a pty
            self._log_output(text)
            self._translate(event.get("event", ""), event.get("event_data", {}), text)
        except Exception as error:  # noqa: BLE001 - of whatever kind, it is raised again in the caller's thread
            self.callback_error = self.callback_error or error
        return False

    def _log_output(self, text: str) -> None:
        if not text:
            return
        self.output_tail.extend(text.splitlines())
        if self._log is not None:
            self._log.write(text + "\n")
            self._log.flush()

    def _translate(self, kind: str, data: dict[str, Any], text: str) -> None:
        match kind:
            case "runner_on_start":
                self._report(Progress(STEP, data["host"], _where(data)))
            case "runner_on_ok":
                changed = bool(data.get("res", {}).get("changed"))
                self._report_finished(data, "changed" if changed else "ok")
            case "runner_on_skipped":
                self._report_finished(data, "skipped")
            case "runner_on_failed" if data.get("ignore_errors"):
                self._report_finished(data, "ok")
            case "runner_on_failed":
                self._report_finished(data, "failed")
                self.failures.append(_failure(data))
            case "runner_on_unreachable":
                self._report_finished(data, "unreachable")
                self.failures.append(_failure(data, unreachable=True))
            case "runner_on_file_diff" if text.strip():
                self._report(Note(STEP, f"{data['host']}: {_where(data)}\n{text.strip()}"))
            case "playbook_on_stats":
                self.recap = _recap(data)
                for host in self.recap.hosts:
                    self._report(Progress(STEP, host, "", finished=True))

    def _report_finished(self, data: dict[str, Any], status: Any) -> None:
        seconds = round(float(data.get("duration") or 0.0), 3)
        self._report(TaskFinished(data["host"], data.get("role", ""), data.get("task", ""), status, seconds))


def _where(data: dict[str, Any]) -> str:
    return " : ".join(part for part in (data.get("role"), data.get("task")) if part)


def _recap(data: dict[str, Any]) -> Recap:
    def counts(host: str) -> HostRecap:
        named = {"ok": "ok", "changed": "changed", "skipped": "skipped", "failed": "failures", "unreachable": "dark"}
        return HostRecap(**{field: int(data.get(name, {}).get(host, 0)) for field, name in named.items()})

    return Recap({host: counts(host) for host in sorted(data.get("processed", {}))})


def _failure(data: dict[str, Any], *, unreachable: bool = False) -> Failure:
    result = data.get("res", {})
    item = next((item for item in result.get("results", []) if item.get("failed")), None)
    cause = item or result
    label = f" ({_label(item)})" if item and _label(item) else ""
    message = _message(cause)
    outputs = (str(cause.get(name, "")).strip() for name in ("stdout", "stderr"))
    output = "\n".join(text for text in outputs if " ".join(text.split()) not in message)
    return Failure(
        host=data["host"],
        where=_where(data) + label,
        message=message,
        output=output,
        unit="" if unreachable else _unit(data, cause),
        unreachable=unreachable,
    )


def _label(item: dict[str, Any]) -> str:
    label = item.get("_ansible_item_label", item.get("item", ""))
    return label if isinstance(label, str) else ""


def _message(cause: dict[str, Any]) -> str:
    if "censored" in cause:
        return "its output is hidden because it holds a secret"
    message = " ".join(str(cause.get("msg", "no message")).split())
    assertion = cause.get("assertion")
    return f"{message} ({assertion})" if assertion and str(assertion) not in message else message


def _unit(data: dict[str, Any], cause: dict[str, Any]) -> str:
    module = str(data.get("task_action", "")).rpartition(".")[2]
    if module in UNIT_MODULES:
        name = str(cause.get("invocation", {}).get("module_args", {}).get("name") or cause.get("item", ""))
        return name if "." in name or not name else f"{name}.service"
    item = cause.get("item")
    if isinstance(item, dict) and "service" in item:  # roles/common/tasks/service.yml waits for its answer
        return f"{item['service']}.service"
    waits = module in WAITING_MODULES or "attempts" in cause
    return ROLE_UNITS.get(str(data.get("role", "")), "") if waits else ""
