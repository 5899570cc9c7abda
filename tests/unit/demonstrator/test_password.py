"""The coordinator checks the hash that the role writes, and nothing of the password can be read from it."""

import base64
import importlib.util
from pathlib import Path
from typing import Any

import pytest

from demonstrator.bundles.coordinator.password import Password
from runner.state import CHECKOUT

PLUGIN = CHECKOUT / "roles" / "inaetics-app" / "filter_plugins" / "password_hash.py"
SALT = "00112233445566778899aabbccddeeff"


def role_filter(path: Path = PLUGIN) -> Any:
    specification = importlib.util.spec_from_file_location("password_hash", path)
    assert specification
    assert specification.loader
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module.FilterModule().filters()["inaetics_scrypt"]


def basic(user_and_password: str) -> str:
    return "Basic " + base64.b64encode(user_and_password.encode()).decode()


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
