"""Work of people with a pod: run commands in it and read its log."""

from collections.abc import Sequence

from tests.support.cluster.pods import Pods, Probe


def test_a_command_runs_in_a_pod(pods: Pods, probes: Sequence[Probe]) -> None:
    for probe in probes:
        result = pods.run(probe.name, "python3", "-c", "import os, sys; print(os.getuid()); sys.exit(3)")
        assert (result.code, result.out.strip()) == (3, "10001")


def test_a_pods_log_can_be_read(pods: Pods) -> None:
    pods.create("speaker", command=["python3", "-c", "print('one'); print('two')"])
    assert pods.finished("speaker") == "one\ntwo\n"


def test_pods_run_under_seccomp_and_without_rights(pods: Pods, probes: Sequence[Probe]) -> None:
    """A setting of the manifest counts only if the runtime applies it."""
    status = pods.run(probes[0].name, "cat", "/proc/1/status").out
    lines = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert (lines["Seccomp"], lines["NoNewPrivs"], int(lines["CapBnd"], 16)) == ("2", "1", 0)
