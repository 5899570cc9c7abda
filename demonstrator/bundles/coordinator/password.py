"""The password that changes may need: known as a salted scrypt hash, checked one at a time."""

import asyncio
import base64
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
            self._cost = {"n": int(n), "r": int(r), "p": int(p)}
            self._salt, self._key = bytes.fromhex(salt), bytes.fromhex(key)
        # Each check takes 16 MiB: checks made at once wait in line.
        self._lock = asyncio.Lock()

    async def admits(self, authorization: str | None) -> bool:
        """Return True when this Authorization header carries the password, or none is needed."""
        if not self.needed:
            return True
        scheme, _, credentials = (authorization or "").partition(" ")
        try:
            _, colon, given = base64.b64decode(credentials.strip(), validate=True).partition(b":")
        except ValueError:
            return False
        if scheme.lower() != "basic" or not colon:
            return False
        async with self._lock:
            return await asyncio.to_thread(self._matches, given)

    def _matches(self, given: bytes) -> bool:
        key = hashlib.scrypt(given, salt=self._salt, dklen=len(self._key), **self._cost)
        return hmac.compare_digest(key, self._key)
