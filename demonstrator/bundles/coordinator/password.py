"""The password that changes may need: known as a salted scrypt hash, checked one at a time."""

import asyncio
import base64
import binascii
import hashlib
import hmac


class Password:
    """Checks the password of a request (HTTP Basic; the user's name does not matter).

    Made from `scrypt$N$R$P$SALT$KEY`, the last two in hexadecimal, as role inaetics-app writes it;
    from "" when no password was set.
    """

    def __init__(self, stored: str) -> None:
        self.needed = bool(stored)
        if stored:
            kind, n, r, p, salt, key = stored.split("$")
            if kind != "scrypt":
                raise ValueError("the password's hash is not one of scrypt")
            self._cost = int(n), int(r), int(p)
            self._salt, self._key = bytes.fromhex(salt), bytes.fromhex(key)
        # Each check takes 16 MiB: checks made at once wait in line.
        self._lock = asyncio.Lock()

    async def admits(self, authorization: str | None) -> bool:
        """Return True when this Authorization header carries the password, or none is needed."""
        if not self.needed:
            return True
        given = _basic(authorization or "")
        if given is None:
            return False
        async with self._lock:
            return await asyncio.to_thread(self._matches, given)

    def _matches(self, given: bytes) -> bool:
        n, r, p = self._cost
        key = hashlib.scrypt(given, salt=self._salt, n=n, r=r, p=p, dklen=len(self._key))
        return hmac.compare_digest(key, self._key)


def _basic(authorization: str) -> bytes | None:
    """Return the password of an HTTP Basic header, or None when it is no such header."""
    scheme, _, credentials = authorization.partition(" ")
    try:
        name_and_password = base64.b64decode(credentials.strip(), validate=True)
    except (binascii.Error, ValueError):
        return None
    _, colon, password = name_and_password.partition(b":")
    return password if scheme.lower() == "basic" and colon else None
