"""How fast producers should produce, so that the queue settles at the preferred utilisation."""

from demonstrator.model.samples import RATE_LIMIT

DEFAULT_PREFERENCE = 20
PREFERENCE_STEP = 5

# What the queue holds too much or too little is made up for at this pace.
_SETTLE_SECONDS = 10.0


def production_rate(preferred: int, utilisation: float, stored: float, capacity: int, producers: int) -> float:
    """Samples a second for each of the producers; 0 % stops them, 100 % lets them run flat out.

    In between they make what the processors work off (`stored`, a second), and more or less of it
    for as long as the queue's utilisation is below or above the preferred one.
    """
    if preferred == 0 or producers == 0:
        return 0.0
    if preferred == 100:
        return RATE_LIMIT
    missing = (preferred - utilisation) / 100 * capacity
    return min(RATE_LIMIT, max(0.0, (stored + missing / _SETTLE_SECONDS) / producers))


def check_preference(percent: int) -> None:
    """Refuse what the slider cannot be set to."""
    if not 0 <= percent <= 100 or percent % PREFERENCE_STEP:
        raise ValueError(f"{percent} is not one of 0, {PREFERENCE_STEP}, … 100")
