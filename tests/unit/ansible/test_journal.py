"""The lines of a journal that tell why a unit failed."""

from runner.ansible.journal import find_causes

TIME = "2026-11-26T17:00:00+0000"


def lines(program: str, *texts: str) -> list[str]:
    return [f"{TIME} {program}[{100 + number}]: {text}" for number, text in enumerate(texts)]


def test_pages_of_usage_and_dumps_do_not_hide_the_cause() -> None:
    usage = lines(
        "kube-scheduler", "Usage:", "  kube-scheduler [flags]", *(f"      --flag-{n} string" for n in range(99))
    )
    cause = lines("kube-scheduler", "Error: unknown flag: --no-such-flag")
    end = [f"{TIME} systemd[1]: kube-scheduler.service: Failed with result 'exit-code'."]
    assert find_causes([*cause, *usage, *end]) == cause

    dump = lines("etcd", "goroutine 1 [running]:", "main.main()", "\t/src/main.go:31 +0x1d error", "created by panic.x")
    cause = lines("etcd", "panic: open /etc/etcd/etcd.yml: permission denied")
    assert find_causes([*cause, *dump]) == cause


def test_a_repeated_error_is_told_once() -> None:
    tried = lines(
        "flanneld",
        "I1126 17:00:00.000000     321 main.go:211] no error here",
        *(f"E1126 17:00:0{n}.000000     321 main.go:359] subnet 10.1.31.0/24 is taken, try {n}" for n in range(3)),
        "W1126 17:00:03.000000     321 main.go:400] failed to do what is tried again",
    )
    assert find_causes(tried) == [f"{tried[3]} (3 times)"]


def test_levels_of_each_program_are_known() -> None:
    etcd = lines("etcd", '{"level":"info","msg":"no error"}', '{"level":"fatal","msg":"listen: address in use"}')
    containerd = lines("containerd", 'level=info msg="error=<nil>"', 'level=fatal msg="toml: expected ="')
    assert find_causes([*etcd, *containerd]) == [etcd[1], containerd[1]]


def test_a_journal_without_errors_has_no_cause() -> None:
    assert find_causes(["-- No entries --", *lines("etcd", "starting")]) == []
