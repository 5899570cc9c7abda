"""The provisioning server's page: targets, their bundles, and the agents that run them."""

import pkgutil
from collections.abc import Mapping
from html import escape

from demonstrator.contracts.manifest import Report
from demonstrator.provisioning.repository import Repository, StoredBundle

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="5">
<title>Provisioning · INAETICS demonstrator</title>
<link rel="stylesheet" href="/style.css">
</head>
<body>
<header>
<h1>Provisioning</h1>
<p>Agents start blank. Here is what each target is given, and who has it.</p>
</header>
<main>{targets}
<section><h2>As data</h2>
<p><a href="/targets">/targets</a> · <a href="/agents">/agents</a></p></section>
</main>
</body>
</html>
"""


def style() -> str:
    """The style sheet."""
    return (pkgutil.get_data(__package__, "style.css") or b"").decode()


def render(repository: Repository, agents: Mapping[str, tuple[Report, float]], now: float) -> str:
    """The page as HTML; everything an agent has told is escaped."""
    return _PAGE.format(targets="".join(_target(target, repository, agents, now) for target in repository.targets))


def _target(target: str, repository: Repository, agents: Mapping[str, tuple[Report, float]], now: float) -> str:
    bundles = "".join(_bundle(repository.bundles[name]) for name in repository.targets[target])
    running = "".join(
        _agent(pod, report, now - at) for pod, (report, at) in sorted(agents.items()) if report.target == target
    )
    return (
        f"<section><h2>{escape(target)}</h2>"
        "<table><thead><tr><th>Bundle</th><th>Version</th><th>What it does</th><th>Digest</th></tr>"
        f"</thead><tbody>{bundles}</tbody></table>"
        + (f'<ul class="agents">{running}</ul>' if running else '<p class="none">No agent reports.</p>')
        + "</section>\n"
    )


def _bundle(bundle: StoredBundle) -> str:
    manifest, digest = bundle.manifest, bundle.digest
    return (
        f"<tr><td>{escape(manifest.name)}</td><td>{escape(manifest.version)}</td>"
        f"<td>{escape(manifest.description)}</td>"
        f'<td><code title="{digest}">{digest.removeprefix("sha256:")[:12]}</code></td></tr>'
    )


def _agent(pod: str, report: Report, age: float) -> str:
    bundles = "".join(
        f'<span class="state {_shade(bundle.state)}">'
        f"{escape(bundle.name)} {escape(bundle.version)}: {escape(bundle.state)}</span>"
        for bundle in report.bundles
    )
    return (
        f"<li><strong>{escape(pod)}</strong> <span>on {escape(report.node)}</span> "
        f'<span class="age">{age:.0f} s ago</span> {bundles}</li>'
    )


def _shade(state: str) -> str:
    return state if state in ("running", "waiting") else "failed"
