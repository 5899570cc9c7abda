"""Versions of bundles, their way to a running agent, and what tells one from another there."""

import json
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

from demonstrator.provisioning.pack import pack
from tests.support.demonstrator.local import SOURCE, Agent, Local, wait_until

# A component that tells its version, and which of its modules it was made of.
COMPONENT = """
from pelix.ipopo.decorators import ComponentFactory, Instantiate, Provides, Requires, Validate
from demonstrator.platform import Runtime
from demonstrator.model import Metric, Statistics
from demonstrator.services import Queue, StatsProvider
from own_bundle.number import NUMBER

@ComponentFactory("own")
@Provides(StatsProvider)
@Requires("_runtime", Runtime)
@Instantiate("own")
class Own:
    @Validate
    def start(self, context):
        pass

    async def statistics(self):
        pod = self._runtime.identity.pod
        return Statistics("own", pod, (Metric("number", "gauge", "", NUMBER),))
"""
WAITS = COMPONENT.replace("@Instantiate", '@Requires("_queue", Queue)\n@Instantiate')


def own(tmp_path: Path, version: str, code: str = COMPONENT, imports: tuple[str, ...] = ()) -> bytes:
    """Return a version of a bundle whose number is the first of its version."""
    directory = tmp_path / f"own-{version}"
    directory.mkdir()
    manifest = {"name": "own", "version": version, "module": "own_bundle", "description": "", "imports": imports}
    (directory / "bundle.json").write_text(json.dumps(manifest))
    (directory / "__init__.py").write_text(code)
    (directory / "number.py").write_text(f"NUMBER = {float(version.split('.', maxsplit=1)[0])}")
    return pack(directory)[1]


def renewed(name: str, version: str) -> bytes:
    """Return the image's own bundle as another version, which says so in its manifest alone."""
    _, content = pack(SOURCE / "bundles" / name)
    changed = BytesIO()
    with zipfile.ZipFile(BytesIO(content)) as before, zipfile.ZipFile(changed, "w") as after:
        for entry in before.infolist():
            text = before.read(entry)
            if entry.filename == "bundle.json":
                text = json.dumps(json.loads(text) | {"version": version}).encode()
            after.writestr(entry.filename, text)
    return changed.getvalue()


async def deploy(local: Local, target: str, archive: bytes) -> str:
    """Upload a bundle, assign it to a target, and return its name and version."""
    listed = await local.change("POST", "/bundles", data=archive)
    await local.change("PUT", f"/targets/{target}/bundles/{listed['name']}", json={"version": listed["version"]})
    return f"{listed['name']} {listed['version']}"


async def becomes(local: Local, pod: str, bundle: str, state: str) -> dict[str, str]:
    """Wait until a pod's agent reports a bundle in a state, and return the states of all its bundles."""

    async def reported() -> Any:
        bundles = await local.reported(pod)
        return bundles if bundles.get(bundle, "").startswith(state) else None

    return dict(await wait_until(reported, f"{pod} reports {bundle} {state}"))


async def statistics(local: Local, agent: Agent) -> list[dict[str, Any]]:
    """Return the answers of all StatsProviders of an agent."""
    answers = []
    for service in (await local.page(agent, "/services"))["services"]:
        if service["contract"] == "inaetics.statistics":
            url = local.url(agent, f"/{service['id']}/inaetics.statistics/statistics")
            async with local.session.post(url, json={}) as answer:
                answers.append((await answer.json())["result"])
    return answers


async def numbers(local: Local, agent: Agent) -> list[float]:
    """Return the figures of the agent's StatsProviders that are ours."""
    answers = await statistics(local, agent)
    return [figure["value"] for one in answers if one["component"] == "own" for figure in one["figures"]]
