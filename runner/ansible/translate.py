"""Translation of ansible-runner's events: which task runs on which host, its outcome, and the cause of a failure."""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
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


@dataclass(frozen=True)
class Recap:
    """The number of tasks by outcome and host, as Ansible counts them: `stats["changed"]["node-1"]`."""

    stats: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    @classmethod
    def of(cls, recaps: Iterable["Recap"]) -> "Recap":
        """Return the recap of runs whose hosts differ."""
        stats: dict[str, dict[str, int]] = {}
        for recap in recaps:
            for outcome, hosts in recap.stats.items():
                stats.setdefault(outcome, {}).update(hosts)
        return cls(stats)

    def tasks(self, *outcomes: str) -> int:
        """Return the number of tasks with these outcomes (ok, changed, skipped, failures), over all hosts."""
        return sum(sum(self.stats.get(outcome, {}).values()) for outcome in outcomes)

    def summary(self) -> str:
        """Return the result in a few words: `changed=0 on 6 hosts`."""
        hosts = len(self.stats.get("processed", {}))
        return f"changed={self.tasks('changed')} on {hosts} host{'' if hosts == 1 else 's'}"


class Failure:
    """A task that failed on one host; `unit` is the systemd unit that it managed or waited for, if any."""

    def __init__(self, data: dict[str, Any], *, unreachable: bool) -> None:
        result = data.get("res", {})
        item: dict[str, Any] = next((item for item in result.get("results", []) if item.get("failed")), {})
        label = item.get("_ansible_item_label", item.get("item"))
        cause = item or result
        self.host: str = data["host"]
        self.where = _where(data) + (f" ({label})" if label and isinstance(label, str) else "")
        self.message = _message(cause)
        outputs = (str(cause.get(name, "")).strip() for name in ("stdout", "stderr"))
        self.output = "\n".join(text for text in outputs if " ".join(text.split()) not in self.message)
        self.unit = "" if unreachable else _unit(data, cause)
        self.unreachable = unreachable


class EventTranslator:
    """Receives ansible-runner's events, in its thread, one at a time."""

    def __init__(self, report: Report, log: IO[str]) -> None:
        self._report = report
        self._log = log
        self.failures: list[Failure] = []
        self.recap = Recap()
        self.output_tail: deque[str] = deque(maxlen=OUTPUT_TAIL)
        self.callback_error: Exception | None = None

    def handle(self, event: dict[str, Any]) -> bool:
        """Translate one event; ansible-runner would lose what is raised here, so that is kept as `callback_error`."""
        try:
            text = str(event.get("stdout", "")).replace("\r\n", "\n").strip("\n")  # it comes through a pty
            if text:
                self.output_tail.extend(text.splitlines())
                self._log.write(f"{text}\n")
            self._translate(event.get("event", ""), event.get("event_data", {}), text.strip())
        except Exception as error:  # noqa: BLE001 - of whatever kind, it is raised again in the caller's thread
            self.callback_error = self.callback_error or error
        return False  # ansible-runner need not store the event: its directory is temporary

    def _translate(self, kind: str, data: dict[str, Any], text: str) -> None:
        match kind.removeprefix("runner_on_"):
            case "start":
                self._report(Progress(STEP, data["host"], _where(data)))
            case "ok":
                self._finish(data, "changed" if data.get("res", {}).get("changed") else "ok")
            case "failed" if data.get("ignore_errors"):
                self._finish(data, "ok")
            case "skipped" | "failed" | "unreachable" as status:
                self._finish(data, status)
            case "file_diff" if text:
                self._report(Note(STEP, f"{data['host']}: {_where(data)}\n{text}"))
            case "playbook_on_stats":
                self.recap = Recap({outcome: hosts for outcome, hosts in data.items() if isinstance(hosts, dict)})
                for host in sorted(data.get("processed", {})):
                    self._report(Progress(STEP, host, "", finished=True))

    def _finish(self, data: dict[str, Any], status: Any) -> None:
        seconds = round(float(data.get("duration") or 0.0), 3)
        self._report(TaskFinished(data["host"], data.get("role", ""), data.get("task", ""), status, seconds))
        if status in ("failed", "unreachable"):
            self.failures.append(Failure(data, unreachable=status == "unreachable"))


def _where(data: dict[str, Any]) -> str:
    return " : ".join(part for part in (data.get("role"), data.get("task")) if part)


def _message(cause: dict[str, Any]) -> str:
    if "censored" in cause:
        return "its output is hidden because it holds a secret"
    message = " ".join(str(cause.get("msg", "no message")).split())
    assertion = str(cause.get("assertion") or "")
    return message if assertion in message else f"{message} ({assertion})"


def _unit(data: dict[str, Any], cause: dict[str, Any]) -> str:
    module = str(data.get("task_action", "")).rpartition(".")[2]
    if module == "start_services":
        return str(cause.get("unit", ""))
    waits = module in {"uri", "wait_for"} or "attempts" in cause
    return ROLE_UNITS.get(str(data.get("role", "")), "") if waits else ""
