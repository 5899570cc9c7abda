"""The dashboard's password: the hash by the role's own filter, and the header of a browser."""

import base64
import importlib.util
from pathlib import Path
from typing import Any

from runner.state import CHECKOUT

PLUGIN = CHECKOUT / "roles" / "inaetics-app" / "filter_plugins" / "scrypt.py"
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
