"""How often passwords and tokens may be tried: by account and by address, however many browsers take part."""

from __future__ import annotations

import hashlib
import time
from typing import Final

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

WINDOW_MINUTES: Final = 15
PER_ACCOUNT: Final = 10
PER_ADDRESS: Final = 60
"""A ward's computers may share one address."""

_ACCOUNT: Final = RateLimitItemPerMinute(PER_ACCOUNT, WINDOW_MINUTES, namespace="account")
_ADDRESS: Final = RateLimitItemPerMinute(PER_ADDRESS, WINDOW_MINUTES, namespace="address")
_TOLD: Final = RateLimitItemPerMinute(1, WINDOW_MINUTES, namespace="told")


class Throttle:
    """Counts attempts before the password is looked at, so that many at once count as many."""

    def __init__(self) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    def minutes_to_wait(self, account: str, address: str) -> int:
        """Count an attempt; return how many minutes are to be waited first, 0 if it may be made."""
        for limit, key in ((_ADDRESS, address), (_ACCOUNT, _short(account))):
            if not self._limiter.hit(limit, key):
                left = self._limiter.get_window_stats(limit, key).reset_time - time.time()
                return max(1, round(left / 60))
        return 0

    def forget(self, account: str) -> None:
        """Begin to count again for an account whose user has signed in."""
        self._limiter.clear(_ACCOUNT, _short(account))

    def is_news(self, account: str, address: str) -> bool:
        """Say whether it was not told before that this account is being waited for: a flood makes no flood of lines."""
        return self._limiter.hit(_TOLD, _short(account), address)


def _short(account: str) -> str:
    return hashlib.sha256(account.encode()).hexdigest()[:32]
