"""Work that may take no more than a share of the time, however often it is asked for."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass
class Throttle:
    """`share` of the time, above 0 to 1; `clock` tells seconds that never go back."""

    share: float
    clock: Callable[[], float] = time.monotonic
    again: float = -math.inf

    @property
    def open(self) -> bool:
        """Whether the work may be done now: always where it never was."""
        return self.clock() >= self.again

    @contextmanager
    def working(self) -> Iterator[None]:
        """Around the work: what it takes, raising or not, decides when it may be done again."""
        began = self.clock()
        try:
            yield
        finally:
            self.again = began + (self.clock() - began) / self.share
