"""Processes that train take turns with the one that measures: latency is only true where nobody else computes."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Turns:
    """A lock file that all workers of one machine share."""

    path: Path

    @contextmanager
    def measuring(self) -> Iterator[None]:
        """Inside, every other process stands still before its next step; two that measure wait for each other."""
        with self.path.open("w") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            yield

    def step(self) -> None:
        """Returns when nobody measures: at once, or when the measurement is over."""
        with self.path.open("w") as stream:
            fcntl.flock(stream, fcntl.LOCK_SH)
