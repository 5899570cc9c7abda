"""The coordinator checks the hash that the role writes, and nothing of the password can be read from it."""

import base64

import pytest

from demonstrator.bundles.coordinator.password import Password
from tests.support.demonstrator.password import SALT, basic, role_filter


@pytest.mark.parametrize("password", ["secret", "pass wörd: mit :", "x" * 200])
async def test_what_the_role_writes_admits_the_password_alone(password: str) -> None:
    kept = role_filter()(password, SALT)
    assert password not in kept
    checked = Password(kept)
    assert checked.needed
    assert await checked.admits(basic(f"anybody:{password}"))
    for header in (
        None,
        "",
        "Basic",
        "Basic ???",
        "Basic " + base64.b64encode(b"no colon").decode(),
        "Bearer " + basic(f"x:{password}").split()[1],
        basic(f"x:{password}y"),
        basic("x:"),
        "Basic é",
    ):
        assert not await checked.admits(header), header


async def test_without_a_password_everybody_may() -> None:
    assert role_filter()("", SALT) == ""
    assert await Password("").admits(None)


def test_another_salt_makes_another_hash() -> None:
    assert role_filter()("secret", SALT) != role_filter()("secret", SALT[::-1])
