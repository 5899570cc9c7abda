"""docs/own-bundle.md, followed to the letter against a provisioning server and agents on loopback."""

import asyncio
from pathlib import Path

from runner.state import CHECKOUT
from tests.support.demonstrator.local import Local
from tests.support.doc_runner import follow

DOCUMENT = CHECKOUT / "docs" / "own-bundle.md"


async def test_the_document_leads_to_a_bundle_that_runs_and_back(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "local").mkdir()
    async with Local(tmp_path / "local") as local:
        viewer = await local.start_agent("felix_1", "viewer")
        queue = await local.start_agent("felix_2", "queue")
        variables = {
            "URL": local.provisioning_url,
            "PAGE": f"http://{viewer.address}:{local.pages_port}",
            "TOKEN_FILE": str(local.token),
        }
        try:
            told = await asyncio.to_thread(follow, DOCUMENT, tmp_path / "work", variables, within=60)
        finally:
            print(queue.log.read_text(), viewer.log.read_text())
        assert "deleted hello" not in told
        assert "rolled felix_2 back" in told
        log = queue.log.read_text()
        assert [log.count(f"runs hello {version}") for version in ("1.0.0", "1.1.0", "1.2.0")] == [2, 2, 0]
        assert log.count("runs queue ") == 1
        assert queue.healthy
