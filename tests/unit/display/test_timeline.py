"""The picture of a run, drawn from events that a real one has recorded: a part of it, with two of its hosts."""

import shutil
from pathlib import Path
from xml.etree.ElementTree import Element, fromstring

import pytest
from typer.testing import CliRunner

from runner.cli import app
from runner.display import read_events, timeline
from runner.display.timeline import BAD_COLOUR, BAR, LANE, Bar, draw, lanes
from runner.events import StepStarted, TaskFinished
from runner.run import find_run

RUN = Path(__file__).parent / "run"
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def picture() -> Element:
    return fromstring(draw("a run", read_events(RUN)))


def bars(picture: Element) -> dict[str, Element]:
    return {group.findtext(f"{SVG}title", ""): group for group in picture.iter(f"{SVG}g")}


def box(group: Element) -> tuple[float, float, float]:
    """Return left edge, top and width of a bar."""
    shape = group.find(f"{SVG}rect")
    assert shape is not None
    left, top, width = (float(shape.attrib[name]) for name in ("x", "y", "width"))
    return left, top, width


def test_a_task_is_as_long_as_it_took_and_stands_where_it_began(picture: Element) -> None:
    found = bars(picture)
    start = next(text for text in picture.iter(f"{SVG}text") if text.text == "0 s")
    ready, task = box(found["ready, ok, 9.6 s"]), box(found["etcd : Start etcd, changed, 0.9 s"])
    scale = ready[2] / 9.589
    # It ended at 16:21:09.051 after 0.895 s, in a run that began at 16:20:45.134.
    assert (task[0] - float(start.attrib["x"])) / scale == pytest.approx(24.051 - 0.134 - 0.895, abs=0.01)
    assert task[2] / scale == pytest.approx(0.895, abs=0.01)


def test_each_host_has_a_row_and_the_workstation_another(picture: Element) -> None:
    names = ("workstation", "controller", "node-1")
    row = {text.text: float(text.attrib["y"]) for text in picture.iter(f"{SVG}text") if text.text in names}
    assert sorted(row, key=lambda name: row[name]) == ["workstation", "controller", "node-1"]
    found = bars(picture)
    assert box(found["hosts, ok, 13.9 s"])[1] == box(found["ready, ok, 9.6 s"])[1] < row["workstation"]
    assert row["workstation"] < box(found["node-1: Machine booted and ready!, 5.4 s"])[1] < row["controller"]
    assert row["controller"] - BAR < box(found["kube-proxy : Start kube-proxy, changed, 1.2 s"])[1] < row["controller"]
    assert row["node-1"] - BAR < box(found["kube-proxy : Start kube-proxy, changed, 1.7 s"])[1] < row["node-1"]


def test_what_goes_on_side_by_side_has_a_line_for_each(picture: Element) -> None:
    found = bars(picture)
    first = {name: box(bar)[1] for name, bar in found.items() if name.startswith("controller: ")}
    second = {name: box(bar)[1] for name, bar in found.items() if name.startswith("node-1: ")}
    assert len(first) == len(second) == 6
    assert (len(set(first.values())), len(set(second.values()))) == (1, 1)
    assert min(second.values()) - min(first.values()) == LANE


def test_tasks_follow_each_other_in_one_line_unless_they_overlap() -> None:
    tasks = [[Bar(start, end, ["task"], "")] for start, end in ((0, 2), (1.95, 3), (1, 4), (3, 5))]
    assert [[bar.start for bar in lane] for lane in lanes(tasks)] == [[0, 1.95, 3], [1]]


def test_each_role_has_a_colour_and_the_legend_its_seconds(picture: Element) -> None:
    said = [text.text for text in picture.iter(f"{SVG}text")]
    assert said[said.index("doctor 0.1 s") :] == [
        "doctor 0.1 s",
        "prepare 0.1 s",
        "certificates 0.1 s",
        "hosts 13.9 s",
        "roles 32.7 s",
        "ready 9.6 s",
        "host 0.1 s",
        "etcd 1.1 s",
        "kube-proxy 1.7 s",
    ]
    shapes = picture.findall(f"{SVG}rect")[-3:]
    assert len({shape.attrib["fill"] for shape in shapes}) == len(shapes)
    etcd = bars(picture)["etcd : Start etcd, changed, 0.9 s"].find(f"{SVG}rect")
    assert etcd is not None
    assert etcd.attrib["fill"] == shapes[1].attrib["fill"]


def test_text_is_within_its_bar_or_absent(picture: Element) -> None:
    written = {name: bar.findtext(f"{SVG}text") for name, bar in bars(picture).items()}
    assert written["ready, ok, 9.6 s"] == "ready"
    assert written["node-1: Machine booted and ready!, 5.4 s"] in ("node-1", "node-1: Machine booted and ready!")
    assert written["etcd : Create etcd user, changed, 0.1 s"] is None


def test_an_interrupted_run_shows_what_it_was_at() -> None:
    recorded = read_events(RUN)
    last = next(number for number, (_, event) in enumerate(recorded) if getattr(event, "task", "") == "Start etcd")
    cut = [*recorded[:last], (recorded[last][0], StepStarted("ready"))]
    found = bars(fromstring(draw("a run", cut)))
    for name in ("etcd : Start etcd, interrupted, 0.9 s", "roles, interrupted, 9.7 s"):
        shape = found[name].find(f"{SVG}rect")
        assert shape is not None
        assert shape.attrib["stroke"] == BAD_COLOUR


def test_a_line_that_was_cut_short_is_left_out(tmp_path: Path) -> None:
    whole = (RUN / "events.jsonl").read_text("utf-8")
    (tmp_path / "events.jsonl").write_text(f'{whole}{{"event": "Failure", "time": "2026-11-26T16:21:42+00:00"}}\n{{"ev')
    assert read_events(tmp_path) == read_events(RUN)


def test_without_a_name_it_is_the_last_run_that_had_tasks(tmp_path: Path) -> None:
    assert find_run(tmp_path, None) is None
    for name in ("1", "2"):
        shutil.copytree(RUN, tmp_path / name)
    steps = [line for line in (RUN / "events.jsonl").read_text("utf-8").splitlines() if "Step" in line]
    (tmp_path / "3").mkdir()
    (tmp_path / "3" / "events.jsonl").write_text("\n".join(steps))
    (tmp_path / "4").mkdir()
    found = find_run(tmp_path, None)
    assert found is not None
    assert (found[0].name, sum(isinstance(event, TaskFinished) for _, event in found[1])) == ("2", 6)
    named = find_run(tmp_path, Path("3"))
    assert named is not None
    assert (named[0].name, len(named[1])) == ("3", 12)
    assert find_run(tmp_path, Path("4")) is None


def test_the_command_writes_the_picture_and_prints_its_path(tmp_path: Path) -> None:
    shutil.copytree(RUN, tmp_path / "run")
    done = CliRunner().invoke(app, ["timeline", str(tmp_path / "run")])
    assert (done.exit_code, done.stdout) == (0, f"{tmp_path}/run/timeline.svg\n")
    assert (tmp_path / "run" / "timeline.svg").read_text("utf-8") == draw("run", read_events(RUN))
    refused = CliRunner().invoke(app, ["timeline", str(tmp_path)])
    assert refused.exit_code == 2
    assert "has no events of a run" in refused.stderr


def test_every_colour_is_told_from_the_ground() -> None:
    def luminance(colour: str) -> float:
        parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    colours = (*timeline.ROLE_COLOURS, timeline.STEP_COLOUR, timeline.ITEM_COLOUR, timeline.NO_ROLE_COLOUR)
    assert [colour for colour in colours if 1.05 / (luminance(colour) + 0.05) < 4.5] == []
