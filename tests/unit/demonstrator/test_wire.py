"""Values cross the wire unchanged, and an error names the place of a value that does not fit."""

import json
import math
from typing import Any

import pytest

from demonstrator.lib import codec
from demonstrator.model import Batch, Metric, QueueLedger, Result, Statistics
from demonstrator.remote.contracts import contract, find, idempotent, is_compatible, methods_of
from demonstrator.services import DataStore, Queue

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
def test_what_leaves_arrives(kind: Any, value: object) -> None:
    assert codec.decode(kind, codec.encode(value)) == value
    assert codec.convert(kind, codec.decode(Any, codec.encode(value))) == value


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"first": -1}, "value: first is negative"),
        ({"first": "1"}, "value: Expected `int`, got `str` - at `$.first`"),
        ({"first": True}, "value: Expected `int`, got `bool` - at `$.first`"),
        ({"first": 1.5}, "value: Expected `int`, got `float` - at `$.first`"),
        ({"source": "a b"}, "'a b' is not a name"),
        ({"source": "x" * 200}, "is not a name"),
        ({"values": []}, "0 samples, where a batch has 1 to 1000"),
        ({"values": [0.0] * 1001}, "1001 samples"),
        ({"values": [1.0, "2"]}, "value: Expected `float`, got `str` - at `$.values[1]`"),
        ({"values": [1.0, True]}, "value: Expected `float`, got `bool` - at `$.values[1]`"),
        ({"values": 3}, "value: Expected `array`, got `int` - at `$.values`"),
        ({"made_at": None}, "value: Expected `float`, got `null` - at `$.made_at`"),
        ({"made_at": 10**400}, "value: Number out of range - at `$.made_at`"),
        ({"more": 1}, "value: Object contains unknown field `more`"),
    ],
)
def test_a_batch_that_is_none_is_refused(changes: dict[str, object], complaint: str) -> None:
    data = json.dumps(codec.decode(dict[str, Any], codec.encode(BATCH)) | changes)
    with pytest.raises(codec.DecodeError) as raised:
        codec.decode(Batch, data)
    assert complaint in str(raised.value)
    with pytest.raises(codec.DecodeError) as raised:
        codec.convert(Batch, json.loads(data))
    assert complaint in str(raised.value)


@pytest.mark.parametrize(
    "data",
    [
        "",
        "{",
        "[" * 100_000,
        '{"source":' * 100_000,
        b"\xff",
        b'{"source": "\xff"}',
        '{"source": "\\ud800"}',
        '{"values": [NaN]}',
        '{"values": [1e999]}',
        "1" * 5_000,
    ],
)
def test_text_that_is_no_batch_is_refused(data: str | bytes) -> None:
    with pytest.raises(codec.DecodeError):
        codec.decode(Batch, data)
    with pytest.raises(codec.DecodeError):
        codec.decode(Any, data)


def test_whole_numbers_are_numbers() -> None:
    batch = codec.decode(Batch, '{"source": "a", "first": 0, "made_at": 1, "values": [1, 2]}')
    assert [type(value) for value in (batch.created_at, *batch.values)] == [float] * 3


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_arrives_nowhere(number: float) -> None:
    with pytest.raises(codec.DecodeError, match=r"Expected `float`, got `null` - at `\$\.values\[0\]`"):
        codec.decode(Batch, codec.encode(Batch("a", 0, 1.0, (number,))))


def test_a_missing_member_is_named() -> None:
    with pytest.raises(codec.DecodeError, match="value: Object missing required field `first`"):
        codec.decode(Batch, '{"source": "a", "values": [1.0]}')


def test_a_contract_tells_its_methods() -> None:
    @contract("test.greeter", "1.2")
    class Greeter:
        @idempotent
        async def greet(self, name: str, times: int) -> tuple[str, ...]:
            return (name,) * times

        async def leave(self) -> None: ...

    assert find("test.greeter") is Greeter
    greet, leave = methods_of(Greeter)["greet"], methods_of(Greeter)["leave"]
    assert codec.decode(greet.arguments, '{"name": "you", "times": 2}') == greet.arguments("you", 2)
    assert codec.decode(greet.answer, '{"result": ["you", "you"]}').result == ("you", "you")
    assert greet.idempotent
    assert not leave.idempotent


def test_an_acknowledgement_has_its_first_name_in_requests() -> None:
    """Agents of before call and offer `settle`."""
    assert methods_of(Queue)["settle"].name == "ack"
    assert "ack" not in methods_of(Queue)


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
def test_a_newer_minor_version_is_compatible(offered: str, wanted: str, *, suits: bool) -> None:
    assert is_compatible(offered, wanted) is suits
