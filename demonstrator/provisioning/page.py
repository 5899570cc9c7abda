"""The provisioning server's page: targets, their bundles, and the agents that run them."""

import pkgutil
from collections.abc import Mapping
from datetime import UTC, datetime
from html import escape

from demonstrator.platform.manifest import Report
from demonstrator.provisioning import views
from demonstrator.provisioning.repository import Repository
from demonstrator.provisioning.state import Entry
from demonstrator.provisioning.views import Heard, Listed

# What the page shows of the log; all of it is at /audit.
_ENTRIES = 20

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
<section><h2>Bundles</h2>
<table><thead><tr><th>Bundle</th><th>Version</th><th>From</th><th>Size</th><th>Targets</th><th>Digest</th></tr></thead>
<tbody>{bundles}</tbody></table></section>
<section><h2>Notifier</h2>
<table><thead><tr><th>When</th><th>From</th><th>What</th></tr></thead><tbody>{audit}</tbody></table></section>
<section><h2>As data</h2>
<p><a href="/targets">/targets</a> · <a href="/bundles">/bundles</a> · <a href="/features">/features</a> ·
<a href="/agents">/agents</a> · <a href="/audit">/audit</a></p></section>
</main>
</body>
</html>
"""


def style() -> str:
    """The style sheet."""
    return (pkgutil.get_data(__package__, "style.css") or b"").decode()


def render(repository: Repository, agents: Mapping[str, Heard], now: float) -> str:
    """The page as HTML; everything that came from outside is escaped."""
    bundles = [views.listed(repository, bundle) for bundle in repository.bundles()]
    by_digest = {bundle.digest: bundle for bundle in bundles}
    return _PAGE.format(
        targets="".join(_target(name, repository, by_digest, agents, now) for name in repository.image.targets),
        bundles="".join(_version(bundle) for bundle in bundles),
        audit="".join(_entry(entry) for entry in repository.state.audit[:_ENTRIES])
        or '<tr><td colspan="3" class="none">Nobody has changed anything.</td></tr>',
    )


def _target(
    name: str, repository: Repository, by_digest: Mapping[str, Listed], agents: Mapping[str, Heard], now: float
) -> str:
    target = views.target(repository, name)
    rows = "".join(
        f"<tr><td>{escape(pin.name)}</td><td>{escape(pin.version)}</td>"
        f"<td>{escape(by_digest[pin.digest].description if pin.digest in by_digest else 'lost')}</td>"
        f"<td>{_digest(pin.digest)}</td></tr>"
        for pin in target.bundles
    )
    running = "".join(
        _agent(pod, heard.report, now - heard.at)
        for pod, heard in sorted(agents.items())
        if heard.report.target == name
    )
    origin = "changed by hand" if target.by_hand else "as the image says"
    return (
        f'<section><h2>{escape(name)} <span class="origin">{origin}</span></h2>'
        "<table><thead><tr><th>Bundle</th><th>Version</th><th>What it does</th><th>Digest</th></tr>"
        f"</thead><tbody>{rows}</tbody></table>"
        + (f'<ul class="agents">{running}</ul>' if running else '<p class="none">No agent reports.</p>')
        + "</section>\n"
    )


def _version(bundle: Listed) -> str:
    return (
        f"<tr><td>{escape(bundle.name)}</td><td>{escape(bundle.version)}</td>"
        f"<td>{'the image' if bundle.from_image else 'an upload'}</td><td>{bundle.size / 1024:.1f} KiB</td>"
        f"<td>{escape(', '.join(bundle.targets)) or 'none'}</td><td>{_digest(bundle.digest)}</td></tr>"
    )


def _entry(entry: Entry) -> str:
    at = datetime.fromtimestamp(entry.at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return f"<tr><td><time>{at}</time></td><td>{escape(entry.who)}</td><td>{escape(entry.what)}</td></tr>"


def _digest(digest: str) -> str:
    return f'<code title="{digest}">{digest.removeprefix("sha256:")[:12]}</code>'


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
