"""The digest of what roles are given: all that may change what they do on a host, and nothing else."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.ansible import PlaybookOptions, inventory, last_runs
from runner.ansible.last_runs import digest_of_inputs
from runner.declaration import Declaration, load
from runner.machines import hosts
from runner.state import DECLARATION, State

Digest = Callable[..., str]


@pytest.fixture(name="state")
def fixture_state(tmp_path: Path) -> State:
    state = State(tmp_path)
    state.release.mkdir(parents=True)
    (state.pki / "certs").mkdir(parents=True)
    for path in (state.dashboard_salt, state.provisioning_token, state.release / "manifest.json"):
        path.write_text("1", "utf-8")
    for name in ("etcd", "flannel-node-1", "flannel-node-2"):
        (state.pki / "certs" / f"{name}.crt").write_text("1", "utf-8")
    return state


@pytest.fixture(name="digest")
def fixture_digest(state: State) -> Digest:
    def digest(host: str = "node-1", *, declaration: Declaration | None = None, **options: object) -> str:
        given = PlaybookOptions("site.yml", **options)  # type: ignore[arg-type] # each test gives its own
        return digest_of_inputs(declaration or load(DECLARATION), host, given, state)

    return digest


@pytest.fixture(name="with_nodes")
def fixture_with_nodes(tmp_path: Path) -> Callable[..., Declaration]:
    def with_nodes(count: int, **changes: str) -> Declaration:
        text = DECLARATION.read_text("utf-8").replace("count: 5", f"count: {count}")
        for key, value in changes.items():
            text = re.sub(f"{key}: .*", f"{key}: {value}", text, count=1)
        declared = tmp_path / "cluster.yml"
        declared.write_text(text, "utf-8")
        found = load(declared)
        assert len(found.hosts) == 1 + count
        return found

    return with_nodes


def test_it_is_the_same_for_the_same(digest: Digest) -> None:
    assert digest() == digest()


def test_it_is_another_one_for_each_host(digest: Digest) -> None:
    assert digest("node-1") != digest("node-2")


def test_variables_of_the_run_count(digest: Digest, tmp_path: Path) -> None:
    file = tmp_path / "more.yml"
    file.write_text("a: 1\n", "utf-8")
    digests = [digest(), digest(extra_vars={"a": "1"}), digest(extra_vars={"a": "2"}), digest(extra_files=[file])]
    file.write_text("a: 2\n", "utf-8")
    assert len({*digests, digest(extra_files=[file])}) == 5


@pytest.mark.parametrize("name", ["pki/certs/etcd.crt", "pki/certs/flannel-node-1.crt", "provisioning-token"])
def test_certificates_and_secrets_count(digest: Digest, state: State, name: str) -> None:
    before = digest()
    (state.directory / name).write_text("2", "utf-8")
    assert digest() != before


def test_another_release_counts(digest: Digest, state: State) -> None:
    before = digest()
    (state.release / "manifest.json").write_text("2", "utf-8")
    assert digest() != before


def test_what_is_another_nodes_does_not_count(
    digest: Digest, state: State, with_nodes: Callable[..., Declaration]
) -> None:
    """One more node must not run the roles on all others."""
    before = digest()
    for name in ("flannel-node-2", "flannel-node-6", "flannel-node-7"):  # the last one of an earlier declaration
        (state.pki / "certs" / f"{name}.crt").write_text("2", "utf-8")
    assert digest(declaration=with_nodes(6)) == before


def test_a_second_node_counts(digest: Digest, with_nodes: Callable[..., Declaration]) -> None:
    """The name service is spread over two nodes where there are two."""
    digests = [digest("controller", declaration=with_nodes(count)) for count in (1, 2, 3)]
    assert digests[0] != digests[1] == digests[2]


def test_a_setting_of_all_hosts_counts(digest: Digest) -> None:
    assert digest(declaration=load(DECLARATION).model_copy(update={"name": "another"})) != digest()


def test_a_node_in_another_network_of_256_addresses_counts(
    digest: Digest, with_nodes: Callable[..., Declaration]
) -> None:
    """Role flannel shares the pod network out by address only where all hosts are in one."""
    two, three = (with_nodes(count, network="172.17.8.0/22", first_address="172.17.8.254") for count in (2, 3))
    assert [str(one.hosts[-1].address) for one in (two, three)] == ["172.17.8.255", "172.17.9.0"]
    assert digest(declaration=two) != digest(declaration=three)


def test_what_variables_may_read_from_elsewhere_counts(digest: Digest, monkeypatch: pytest.MonkeyPatch) -> None:
    before = digest()
    monkeypatch.setenv("INAETICS_PASSWORD", "another")
    assert digest() != before


def test_variables_behind_a_link_count(
    digest: Digest, state: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "checkout" / "group_vars").mkdir(parents=True)
    (tmp_path / "mine").mkdir()
    (tmp_path / "checkout" / "group_vars" / "all").symlink_to(tmp_path / "mine")
    monkeypatch.setattr(last_runs, "CHECKOUT", tmp_path / "checkout")
    before = digest()
    (tmp_path / "mine" / "vars.yml").write_text("a: 1", "utf-8")
    assert digest() != before


@pytest.mark.parametrize(("value", "leaves_out"), [("'{{ 1 + 1 }}'", True), ("\"{{ lookup('env', 'A') }}\"", False)])
def test_variables_that_come_from_anywhere_leave_nothing_out(
    state: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str, *, leaves_out: bool
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars" / "all").symlink_to(tmp_path / "mine")
    (tmp_path / "mine" / "local.yml").write_text(f"a: {value}\n", "utf-8")
    monkeypatch.setattr(inventory, "CHECKOUT", tmp_path)
    monkeypatch.setattr(hosts, "ssh_config", lambda _: {})
    found = last_runs.LastRuns.of(load(DECLARATION), PlaybookOptions("site.yml"), state)
    assert (found is not None) == leaves_out
