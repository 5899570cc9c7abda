"""What crosses the wire arrives as it left, and what does not fit is named with its place."""

import pytest

from demonstrator.lib import codec
from demonstrator.model.samples import Batch, Metric, QueueLedger, Result, Statistics
from demonstrator.remote.contract import contract, find, idempotent, methods_of, serves
from demonstrator.services.data_path import DataStore, Queue

BATCH = Batch("producer.1", 50, 1.5, (0.25, -1.0, 3.0))


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Batch, BATCH),
        (Result, Result(BATCH, "queue.1", "processor", 2.5)),
        (QueueLedger, QueueLedger("queue.1", 10, 9, {"store.1": 4}, 3, 2, 0)),
        (Statistics, Statistics("queue", "pod", (Metric("queued", "gauge", "samples", 1.0),))),
        (tuple[Batch, ...], (BATCH, BATCH)),
        (dict[str, int | None], {"a": 1, "b": None}),
        (type(None), None),
        (bool, False),
    ],
)
def test_what_leaves_arrives(kind: object, value: object) -> None:
    assert codec.decode(kind, codec.loads(codec.dumps(value))) == value


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"first": -1}, "value: first is negative"),
        ({"first": "1"}, "value.first: an integer expected, not a string"),
        ({"first": True}, "value.first: an integer expected, not a truth value"),
        ({"source": "a b"}, "'a b' is not a name"),
        ({"source": "x" * 200}, "is not a name"),
        ({"values": []}, "0 samples, where a batch has 1 to 1000"),
        ({"values": [0.0] * 1001}, "1001 samples"),
        ({"values": [1.0, "2"]}, "value.values[1]: a number expected, not a string"),
        ({"values": 3}, "value.values: a list expected, not an integer"),
        ({"made_at": None}, "value.made_at: a number expected, not null"),
        ({"made_at": 10**400}, "value.made_at: a finite number expected"),
        ({"more": 1}, "value: more unknown"),
    ],
)
def test_a_batch_that_is_none_is_refused(changes: dict[str, object], complaint: str) -> None:
    data = codec.encode(BATCH) | changes
    with pytest.raises(codec.DecodeError) as raised:
        codec.decode(Batch, data)
    assert complaint in str(raised.value)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, b"\xff", '{"values": [NaN]}'])
def test_text_that_is_no_batch_is_refused(text: str | bytes) -> None:
    with pytest.raises(codec.DecodeError):
        codec.decode(Batch, codec.loads(text))


def test_a_missing_member_is_named() -> None:
    with pytest.raises(codec.DecodeError, match="value: first, made_at missing"):
        codec.decode(Batch, {"source": "a", "values": [1.0]})


def test_a_contract_tells_its_methods() -> None:
    @contract("test.greeter", "1.2")
    class Greeter:
        @idempotent
        async def greet(self, name: str, times: int) -> tuple[str, ...]:
            return (name,) * times

        async def leave(self) -> None: ...

    assert find("test.greeter") is Greeter
    greet, leave = methods_of(Greeter)["greet"], methods_of(Greeter)["leave"]
    assert greet.parameters == {"name": str, "times": int}
    assert greet.idempotent
    assert not leave.idempotent


def test_the_data_path_may_be_repeated_anywhere() -> None:
    for cls in (Queue, DataStore):
        assert all(method.idempotent for method in methods_of(cls).values())


@pytest.mark.parametrize(
    ("offered", "wanted", "suits"),
    [
        ("1.0", "1.0", True),
        ("1.3", "1.0", True),
        ("1.0", "1.3", False),
        ("2.0", "1.0", False),
        ("1.10", "1.9", True),
        ("one", "1.0", False),
        ("1", "1.0", False),
    ],
)
def test_a_newer_minor_version_serves(offered: str, wanted: str, suits: bool) -> None:
    assert serves(offered, wanted) is suits
