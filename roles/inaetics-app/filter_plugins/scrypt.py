"""A password as the coordinator keeps it: a salted scrypt hash, never the password itself."""

import hashlib
from collections.abc import Callable

# 16 MiB and some 50 ms for each guess.
N, R, P = 2**14, 8, 1


def inaetics_scrypt(password: str, salt: str) -> str:
    """`scrypt$N$R$P$SALT$KEY`, the last two in hexadecimal; "" when there is no password."""
    if not password:
        return ""
    key = hashlib.scrypt(str(password).encode(), salt=bytes.fromhex(salt), n=N, r=R, p=P, dklen=32)
    return f"scrypt${N}${R}${P}${salt}${key.hex()}"


class FilterModule:
    """Ansible filters of this role."""

    def filters(self) -> dict[str, Callable[[str, str], str]]:
        """The filters by name."""
        return {"inaetics_scrypt": inaetics_scrypt}
