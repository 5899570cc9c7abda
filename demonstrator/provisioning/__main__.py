"""`python3 -m demonstrator.provisioning`: the server, until SIGTERM or Ctrl-C."""

import logging
import os
from pathlib import Path

import aiohttp
from aiohttp import web

from demonstrator.lib import log
from demonstrator.lib.kubernetes import SERVICE_ACCOUNT, Kubernetes, api_url
from demonstrator.provisioning.config_map_store import ConfigMapStore
from demonstrator.provisioning.image import load_image
from demonstrator.provisioning.repository import Repository
from demonstrator.provisioning.server import ProvisioningServer

_logger = logging.getLogger("demonstrator.provisioning")


async def _make_app() -> web.Application:
    image = load_image()
    for bundle in image.bundles.values():
        _logger.info("carries %s %s (%s)", bundle.ref.name, bundle.ref.version, bundle.ref.digest)
    session = aiohttp.ClientSession()
    account = Path(os.environ.get("SERVICE_ACCOUNT_DIR", SERVICE_ACCOUNT))
    store = ConfigMapStore(Kubernetes(api_url(os.environ), account, session), os.environ["PROVISIONING_NAMESPACE"])
    app = ProvisioningServer(Repository(image, store), Path(os.environ["PROVISIONING_CREDENTIAL"])).make_app()
    app.on_cleanup.append(lambda _: session.close())
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
