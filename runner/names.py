"""Names that a person types: one that does not exist is an error, which says what was probably meant."""

from collections.abc import Iterable
from difflib import get_close_matches

FEW = 20  # names that can be listed in a message


def check(sentence: str, given: Iterable[str], known: Iterable[str]) -> None:
    """Raise a ValueError for the first name that is not known; `sentence` begins its message, "there is no host"."""
    names = list(known)
    for name in given:
        if name not in names:
            parts = [f"{sentence} {name!r}."]
            parts += [f"Did you mean {close!r}?" for close in get_close_matches(name, names, n=1)]
            parts += [f"There are: {', '.join(names)}."] if len(names) <= FEW else []
            raise ValueError(" ".join(parts))
