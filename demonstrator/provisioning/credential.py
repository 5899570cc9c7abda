"""Who may change something: whoever has the token whose SHA-256 sum the server was given."""

import hashlib
import hmac
import logging
from pathlib import Path

_logger = logging.getLogger(__name__)


class Credential:
    """The token itself is not in the cluster; its sum is in a file that a Secret is mounted as."""

    def __init__(self, sum_file: Path) -> None:
        self._sum_file = sum_file

    def allows(self, authorization: str) -> bool:
        """Whether a request with this header Authorization may change something."""
        try:
            # Read each time: the kubelet replaces the file when the Secret changes.
            expected = self._sum_file.read_text().strip()
        except OSError as error:
            _logger.warning("nobody can change anything: %s", error)
            return False
        scheme, _, token = authorization.partition(" ")
        found = hashlib.sha256(token.strip().encode(errors="surrogateescape")).hexdigest()
        return hmac.compare_digest(found, expected) and scheme.lower() == "bearer"
