"""Files of a checkout that are empty, damaged, somebody else's or gone: told in words, and replaced where possible."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.state import MAX_RUNS, State
from tests.integration.cli.checkout import Checkout

Arguments = Callable[..., list[str]]
PING = "[{name: Ping, ansible.builtin.ping: }]"
COMMANDS = (["status"], ["kubectl", "--", "get", "nodes"], ["ssh", "controller"], ["destroy"], ["status", "--json"])


@pytest.mark.parametrize("content", [b"", b"\xff\x00 [{", b"[]"], ids=["empty", "no text", "a list"])
def test_whatever_is_in_the_files_the_next_run_replaces_it(
    checkout: Checkout, own_machine: Arguments, content: bytes
) -> None:
    site = own_machine()
    checkout.playbook(PING)
    assert checkout.run(*site).returncode == 0
    (checkout.state / "ssh").mkdir()
    for name in ("ssh-config.json", "ssh/known_hosts", "ssh/id_ed25519"):
        (checkout.state / name).touch()
    for path in checkout.state.rglob("*"):
        if path.is_file() and not path.is_symlink():  # as the inventory
            path.write_bytes(content)
    for command in COMMANDS:
        done = checkout.run(*command)
        # 2: the inventory of the last site has no host of that name
        assert done.returncode == 2 if "ssh" in command else done.returncode in (0, 3, 4, 5, 6, 8), done.stderr
        assert "Traceback" not in done.stderr
    assert checkout.run(*site).returncode == 0
    shown = json.loads(checkout.run("status", "--json").stdout)
    assert {one["days_left"] > 30 for one in shown["certificates"]} == {True}
    secrets = ["pki/encryption-key", "pki/service-account.key", "provisioning-token", "dashboard-salt"]
    if not content:  # any other text may be a person's
        assert [len((checkout.state / name).read_bytes()) > 30 for name in secrets] == [True] * len(secrets)


@pytest.mark.parametrize("name", ["runs", "lock", "pki", "kubeconfig"])
def test_a_file_in_the_place_of_a_directory_or_the_reverse_is_named(
    checkout: Checkout, own_machine: Arguments, name: str
) -> None:
    site, place = own_machine(), checkout.state / name
    if name in ("runs", "pki"):
        place.touch()
    else:
        place.mkdir()
    done = checkout.run(*site)
    assert done.returncode == 4, done.stderr
    assert str(place) in done.stderr.splitlines()[0]
    assert "Traceback" not in checkout.run("status").stderr


def test_a_cache_that_was_removed(checkout: Checkout, own_machine: Arguments) -> None:
    inventory = own_machine()[-1]  # no network of hosts has to be here
    (checkout.state / "release").rmdir()
    (checkout.state / "release").symlink_to("/nowhere/release")
    (checkout.state / "kubeconfig").touch()
    done = checkout.run("kubectl", "--inventory", inventory, "--", "get", "nodes")
    assert (done.returncode, done.stderr.splitlines()) == (
        5,
        ["Nothing is prepared for this checkout, or the cache was removed.", "To do: Run `make prepare`."],
    )


def test_runs_of_a_time_to_come_do_not_take_the_place_of_the_next_one(tmp_path: Path) -> None:
    state = State(tmp_path)
    state.create()
    before = state.new_run()
    for number in range(MAX_RUNS + 1):
        (state.runs / f"2999-01-01T00.00.00.{number:06}").mkdir()
    now = state.new_run()
    kept = sorted(state.runs.iterdir())
    assert len(kept) == MAX_RUNS
    assert {before, now} <= set(kept)
