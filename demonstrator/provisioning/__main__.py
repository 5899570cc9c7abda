"""`python3 -m demonstrator.provisioning`: the server, until SIGTERM or Ctrl-C."""

import logging
import os
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
from aiohttp import web

from demonstrator.lib import log
from demonstrator.lib.kubernetes import SERVICE_ACCOUNT, Kubernetes, api_url
from demonstrator.provisioning.config_map_store import ConfigMapStore
from demonstrator.provisioning.image import Image
from demonstrator.provisioning.repository import Repository
from demonstrator.provisioning.server import ProvisioningServer, TokenVerifier

_HERE = Path(__file__).resolve().parent
_logger = logging.getLogger("demonstrator.provisioning")


async def _make_app() -> web.Application:
    image = Image.load(_HERE.parent / "bundles", _HERE / "targets.json")
    for bundle in image.bundles.values():
        _logger.info("carries %s %s (%s)", bundle.manifest.name, bundle.manifest.version, bundle.digest)
    session = aiohttp.ClientSession()
    account = Path(os.environ.get("SERVICE_ACCOUNT_DIR", SERVICE_ACCOUNT))
    kubernetes = Kubernetes(api_url(os.environ), account, session)
    repository = Repository(image, ConfigMapStore(kubernetes, os.environ["PROVISIONING_NAMESPACE"]))

    async def close_session(_: web.Application) -> AsyncIterator[None]:
        yield
        await session.close()

    verifier = TokenVerifier(Path(os.environ["PROVISIONING_CREDENTIAL"]))
    app = ProvisioningServer(repository, verifier).make_app()
    app.cleanup_ctx.append(close_session)
    return app


if __name__ == "__main__":
    log.set_up()
    web.run_app(
        _make_app(),
        host=os.environ.get("PROVISIONING_LISTEN", "0.0.0.0"),  # noqa: S104 - a pod's own address
        port=int(os.environ.get("PROVISIONING_PORT", "8080")),
        access_log=None,
        print=None,
        shutdown_timeout=0.5,
    )
