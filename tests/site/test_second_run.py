"""Why: a run that changes what is already as declared would restart services under a user's feet."""

from tests.support.cluster.site import run_site


def test_a_second_run_changes_nothing_on_any_host() -> None:
    run = run_site()
    assert run.code == 0, run.errors
    assert any(event["event"] == "TaskFinished" for event in run.events)
    assert run.changed == []
