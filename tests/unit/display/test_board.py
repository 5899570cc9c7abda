"""The lines that a person reads during a run, from events alone: no terminal, and the test sets the clock."""

from dataclasses import dataclass

from runner.display import lines
from runner.display.board import Board
from runner.errors import RolesError
from runner.events import Event, Note, Progress, StepFinished, StepStarted, TaskFinished


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def play(board: Board, clock: Clock, script: list[tuple[float, Event]]) -> list[str]:
    shown: list[str] = []
    for moment, event in script:
        clock.now = moment
        shown += [line.plain for line in board.apply(event)]
    return shown


RUN: list[tuple[float, Event]] = [
    (0.0, StepStarted("doctor")),
    (0.4, StepFinished("doctor", 0.4, "ok", "19 checks")),
    (0.4, StepStarted("prepare")),
    (0.5, Note("prepare", "mirror.example does not answer: the next source is tried", "warning")),
    (0.5, Progress("prepare", "etcd", "downloading", 0, 25_000_000, "bytes")),
    (0.6, Progress("prepare", "runc", "in the cache", finished=True)),
    (2.5, Progress("prepare", "etcd", "built", finished=True)),
    (2.6, StepFinished("prepare", 2.2, "ok", "release 3f2a")),
    (2.6, StepStarted("roles")),
    (3.0, Progress("roles", "controller", "host : Set kernel values")),
    (3.5, TaskFinished("controller", "host", "Set kernel values", "changed", 0.5)),
    (3.6, TaskFinished("node-1", "host", "Set kernel values", "ok", 0.6)),
    (5.0, TaskFinished("controller", "etcd", "Start etcd", "ok", 1.0)),
    (6.0, TaskFinished("node-1", "flannel", "Start flanneld", "failed", 0.5)),
    (6.0, StepFinished("roles", 3.4, "failed")),
]


def test_what_stays_on_the_screen() -> None:
    clock = Clock()
    assert play(Board(clock=clock), clock, RUN) == [
        "doctor                 0.4 s  19 checks",
        "  mirror.example does not answer: the next source is tried",
        "  etcd: built  2.0 s",
        "prepare                2.2 s  release 3f2a",
        "  host                 0.6 s  changed=1 on 2 hosts",
        "  node-1          failed     flannel : Start flanneld  0.5 s",
        "  etcd                 1.0 s  changed=0 on 1 host",
        "  flannel              0.5 s  changed=0 on 1 host",
        "roles                  3.4 s  failed",
    ]


def test_verbose_tells_every_task_and_item() -> None:
    clock = Clock()
    shown = play(Board(verbose=True, clock=clock), clock, RUN)
    assert "  controller      changed    host : Set kernel values  0.5 s" in shown
    assert "  runc: in the cache  0.0 s" in shown


def test_what_is_drawn_anew() -> None:
    clock = Clock()
    board = Board(clock=clock)
    script: list[tuple[float, Event]] = [
        (0.0, StepStarted("prepare")),
        (0.0, Progress("prepare", "kubernetes", "building", 12, 230, "packages")),
        (1.0, Progress("prepare", "etcd", "downloading", 12_340_000, 25_000_000, "bytes")),
        (2.0, Progress("prepare", "etcd", "downloading", 15_000_000, 25_000_000, "bytes")),
        (2.0, Progress("prepare", "base image", "installing")),
    ]
    assert play(board, clock, script) == []
    clock.now = 61.0
    assert [line.plain for line in board.live(width=60, height=20)] == [
        "prepare           1 min 01 s",
        "  kubernetes  building 12/230 packages  1 min 01 s",
        "  etcd        downloading 15.0/25.0 MB  1 min 00 s",
        "  base image  installing  59.0 s",
    ]
    narrow = [line.plain for line in board.live(width=30, height=20)]
    assert narrow[1] == "  kubernetes  bui…  1 min 01 s"
    assert [line.plain for line in board.live(width=60, height=3)][2:] == ["  … and 2 more"]
    (beat,) = board.heartbeat()
    assert beat.plain == (
        "  … prepare 1 min 01 s: kubernetes: building 12/230 packages; "
        "etcd: downloading 15.0/25.0 MB; base image: installing"
    )
    board.apply(StepFinished("prepare", 61.0, "interrupted"))
    assert board.live(width=60, height=20) == []


def test_host_that_waits_for_the_others_keeps_its_line_and_starts_anew() -> None:
    clock = Clock()
    board = Board(clock=clock)
    script: list[tuple[float, Event]] = [
        (0.0, StepStarted("roles")),
        (0.0, Progress("roles", "node-1", "host : One")),
        (0.0, Progress("roles", "node-2", "host : One")),
        (1.0, TaskFinished("node-1", "host", "One", "ok", 1.0)),
    ]
    assert play(board, clock, script) == []
    clock.now = 2.0
    assert [line.plain for line in board.live(40, 9)][1:] == ["  node-1  ", "  node-2  host : One  2.0 s"]
    board.apply(Progress("roles", "node-1", "host : Two"))
    clock.now = 3.0
    assert board.live(40, 9)[1].plain == "  node-1  host : Two  1.0 s"


def test_a_role_that_was_not_selected_leaves_no_line() -> None:
    """Ansible checks the variables of every role, whatever tags there are."""
    board = Board()
    check = "Validating arguments against arg spec 'main' - Run etcd"
    board.apply(StepStarted("roles"))
    board.apply(TaskFinished("controller", "etcd", check, "ok", 0.1))
    board.apply(TaskFinished("controller", "flannel", check, "ok", 0.1))
    board.apply(TaskFinished("controller", "flannel", "Start flanneld", "ok", 0.1))
    ended = [line.plain.split()[0] for line in board.apply(StepFinished("roles", 1.0, "ok"))]
    assert ended == ["flannel", "roles"]
    assert not any("etcd" in line.plain for line in board.summary())


def test_a_role_has_one_line_whichever_host_is_ahead() -> None:
    tasks = [
        ("controller", "host"),
        ("node-1", "host"),
        ("controller", "flannel"),
        ("node-1", "host"),
        ("controller", "kube-master"),
        ("node-1", "flannel"),
        ("controller", "kube-master"),
        ("node-1", "kube-node"),
    ]
    script: list[tuple[float, Event]] = [(0.0, StepStarted("roles"))]
    script += [(float(n), TaskFinished(*at, "Do it", "ok", 1.0)) for n, at in enumerate(tasks, start=1)]
    script += [(9.0, Progress("roles", name, "", finished=True)) for name in ("node-1", "controller")]
    shown = play(Board(clock=(clock := Clock())), clock, script)
    assert [line.split()[0] for line in shown] == ["host", "flannel", "kube-master", "kube-node"]
    assert shown[:2] == [
        "  host                 4.0 s  changed=0 on 2 hosts",
        "  flannel              4.0 s  changed=0 on 2 hosts",
    ]


def test_hosts_that_do_the_same_share_a_heartbeat() -> None:
    board = Board(clock=Clock())
    board.apply(StepStarted("roles"))
    for host in ("node-1", "node-2"):
        board.apply(Progress("roles", host, "kube-node : Start kubelet"))
    assert [line.plain for line in board.heartbeat()] == ["  … roles 0.0 s: node-1, node-2: kube-node : Start kubelet"]


def test_table_of_steps_and_seconds() -> None:
    clock = Clock()
    board = Board(clock=clock)
    play(board, clock, RUN)
    assert [line.plain for line in board.summary()] == [
        "step        seconds",
        "doctor          0.4",
        "prepare         2.2",
        "roles           3.4",
        "  host          0.6",
        "  etcd          1.0",
        "  flannel       0.5",
        "total           6.0",
    ]


def test_difference_reads_as_one() -> None:
    change = "node-1: flannel : Write the unit\n--- before\n+++ after\n-old\n+new\n same"
    shown = lines.note(Note("roles", change))
    assert [line.plain for line in shown] == [
        "  node-1: flannel : Write the unit",
        "    --- before",
        "    +++ after",
        "    -old",
        "    +new",
        "     same",
    ]
    assert [str(line.style) for line in shown[3:]] == ["red", "green", ""]


def test_error_tells_what_why_and_what_to_do() -> None:
    error = RolesError("node-2: flannel : Start flanneld failed", "Look at it.", "first line\nsecond line")
    assert [line.plain for line in lines.error(error)] == [
        "node-2: flannel : Start flanneld failed",
        "    first line",
        "    second line",
        "To do: Look at it.",
    ]
    assert [line.plain for line in lines.error(RolesError("Alone."))] == ["Alone."]


def test_seconds_and_amounts() -> None:
    assert [lines.seconds(value) for value in (0.04, 59.94, 59.96, 125.4)] == [
        "0.0 s",
        "59.9 s",
        "1 min 00 s",
        "2 min 05 s",
    ]
    amounts = [Progress("", "", "", *parts) for parts in ((None,), (3, None, "files"), (5, 10), (999, 999, "bytes"))]
    assert [lines.amount(progress) for progress in amounts] == ["", "3 files", "5/10", "999/999 bytes"]
