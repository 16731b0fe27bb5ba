"""Processes that train take turns with the one that measures: latency is only true where nobody else computes."""

from __future__ import annotations

import fcntl
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


def turns_of_machine(cache: Path) -> Turns:
    """Of all studies of this machine with that cache: two that search side by side take turns, too."""
    path = cache / "locks" / f"{socket.gethostname()}.turns"
    path.parent.mkdir(parents=True, exist_ok=True)
    return Turns(path)


@dataclass(frozen=True)
class Turns:
    """A lock file that all who train or measure on one machine share."""

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
