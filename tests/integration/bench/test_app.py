"""Parts of the benchmarks that need no cluster."""

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bench.app import FULL_RATE, PROCESSORS, PRODUCERS, listen, working
from bench.cluster import mebibytes
from bench.targets import ANY, check_targets
from tests.support.demonstrator.local import Local, wait_until


async def test_each_overview_of_the_dashboard_is_noted(tmp_path: Path) -> None:
    ages: list[float] = []
    arrivals: list[float] = []
    async with Local(tmp_path) as local:
        local.api.add_lease()
        viewer = await local.start_agent("felix_1", "viewer")
        url = f"http://{viewer.address}:{local.pages_port}"

        async def answers() -> Any:
            return await local.page(viewer, "/coordinator/statistics")

        await wait_until(answers, "the viewer answers")
        async with aiohttp.ClientSession() as session:
            listening = asyncio.create_task(listen(session, url, ages, arrivals))

            async def heard() -> bool:
                return len(ages) >= 2

            await wait_until(heard, "two overviews are heard")
            listening.cancel()
    assert len(ages) == len(arrivals)
    assert arrivals == sorted(arrivals)


@pytest.mark.parametrize(("quantity", "expected"), [("100Mi", 100), ("51200Ki", 50), ("1Gi", 1024), ("1048576", 1)])
def test_memory_is_read_in_any_unit(quantity: str, expected: float) -> None:
    assert mebibytes(quantity) == expected


def test_it_waits_until_everything_works() -> None:
    def seen(rates: list[float], processed: list[int]) -> Any:
        providers = [("producer", "rate", rate) for rate in rates] + [("processor", "processed", n) for n in processed]
        return {
            "statistics": [
                {"component": component, "figures": [{"name": name, "value": value}]}
                for component, name, value in providers
            ]
        }

    all_at_work = [50] * PROCESSORS
    assert working(seen([FULL_RATE] * PRODUCERS, all_at_work))
    assert not working(seen([FULL_RATE] * (PRODUCERS - 1), all_at_work))
    assert not working(seen([FULL_RATE] * (PRODUCERS - 1) + [500.0], all_at_work))
    assert not working(seen([FULL_RATE] * PRODUCERS, [*all_at_work[1:], 0]))


def test_a_missed_target_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    targets = {"flow": (2_400.0, ANY), "age": (0.0, 1.0)}
    assert check_targets({"flow": 2_400.0, "age": 0.2, "other": -3.0}, targets)
    assert "missed" not in capsys.readouterr().err
    assert not check_targets({"flow": 2_399.0}, targets)
    assert not check_targets({"age": 1.0}, targets)
    assert ">= 2,400 missed" in capsys.readouterr().err
