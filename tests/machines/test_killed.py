"""`site` killed by SIGKILL, so that it can clean up nothing: the same command continues, and ends well."""

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator

import pytest

from runner.state import cache_directory
from tests.machines.checkout import WHOLE, Checkout

TIMES = 20
LONGEST = 10.0  # seconds until a kill: a run from nothing takes half a minute, so each goes a bit further than the last
SITE = (sys.executable, "-m", "runner", "site", "--json")
ENVIRONMENT = {**os.environ, "XDG_CACHE_HOME": str(cache_directory().parent)}


@pytest.fixture(name="checkout")
def fixture_checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    checkout = Checkout.make(tmp_path_factory.mktemp("killed") / "checkout", WHOLE)
    yield checkout
    checkout.destroy()


def test_a_run_that_was_killed_at_random_moments_ends_well(checkout: Checkout) -> None:
    seed = int.from_bytes(os.urandom(4))
    print(f"seed: {seed}")
    moments = random.Random(seed)  # noqa: S311 - nothing is secret
    for _ in range(TIMES):
        with subprocess.Popen(SITE, cwd=checkout.directory, env=ENVIRONMENT, stdout=subprocess.PIPE) as process:
            try:
                output, _ = process.communicate(timeout=moments.uniform(0.2, LONGEST))
            except subprocess.TimeoutExpired:
                process.kill()
            else:  # it was done, and the next one begins with nothing
                assert process.returncode == 0, output
                checkout.destroy()
    done = subprocess.run(SITE, cwd=checkout.directory, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    again = subprocess.run(SITE, cwd=checkout.directory, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    events = map(json.loads, again.stdout.splitlines())
    assert not [event for event in events if event["event"] == "TaskFinished" and event["status"] == "changed"]
