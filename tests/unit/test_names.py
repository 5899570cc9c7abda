"""Names that a person types."""

import re

import pytest

from runner.names import FEW, check


def test_known_names_pass() -> None:
    check("there is no host", ["node-1", "controller"], ["controller", "node-1"])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("node1", "there is no host 'node1'. Did you mean 'node-1'? There are: controller, node-1."),
        ("master", "there is no host 'master'. There are: controller, node-1."),
    ],
)
def test_a_name_that_does_not_exist_is_told_with_those_that_do(given: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        check("there is no host", ["controller", given], ["controller", "node-1"])


def test_many_names_are_not_listed() -> None:
    many = [f"variable_{number}" for number in range(FEW + 1)]
    with pytest.raises(ValueError, match=r"^no role reads 'other'\.$"):
        check("no role reads", ["other"], many)
