"""How long to wait before the next attempt to reach the server. Does not wait itself."""

import random
import time
from typing import Callable, Optional


class Backoff:
    """Doubling, jittered delays within a total span of seconds since the last success."""

    def __init__(
        self, span: float, first: float = 0.05, most: float = 5.0, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._span, self._first, self._most, self._now = span, first, most, now
        self.reset()

    def reset(self) -> None:
        """The server was reached."""
        self.attempts = 0
        self._since: Optional[float] = None

    def next(self, at_least: Optional[float] = None) -> Optional[float]:
        """Seconds to wait, or None when the span is used up. `at_least`: what the server asked for."""
        now = self._now()
        if self._since is None:
            self._since = now
        if now - self._since >= self._span:
            return None
        self.attempts += 1
        ceiling = min(self._most, self._first * 2.0 ** min(self.attempts, 30))
        return max(random.uniform(ceiling / 2, ceiling), at_least or 0.0)
