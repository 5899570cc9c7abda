"""`python3 -m demonstrator.provisioning`: the server, until SIGTERM or Ctrl-C."""

import logging
import os
from pathlib import Path

from aiohttp import web

from demonstrator.provisioning.repository import Repository
from demonstrator.provisioning.server import Provisioning

_HERE = Path(__file__).resolve().parent

if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    repository = Repository.load(_HERE.parent / "bundles", _HERE / "targets.json")
    for bundle in repository.bundles.values():
        logging.info("offers %s %s (%s)", bundle.offer.name, bundle.offer.version, bundle.digest)
    web.run_app(
        Provisioning(repository).make_app(),
        host=os.environ.get("PROVISIONING_LISTEN", "0.0.0.0"),  # noqa: S104 - a pod's own address
        port=int(os.environ.get("PROVISIONING_PORT", "8080")),
        access_log=None,
        print=None,
        shutdown_timeout=0.5,
    )
