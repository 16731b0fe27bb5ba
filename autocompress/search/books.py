"""What the loop of trials asks of whoever runs it: a leader with its ledger, or a worker."""

from __future__ import annotations

from typing import Protocol

from autocompress.search.files import Known


class Show(Protocol):
    """Where a loop of trials says what it does."""

    def trial(self, number: int, of: int | None, words: str) -> None:
        """A trial has begun."""

    def rung(self, number: int, rung: str, quality: float | None) -> None:
        """A trial has been judged."""

    def note(self, text: str) -> None:
        """A line that stays."""


class Books(Protocol):
    """What a loop of trials asks: the teacher, and the time."""

    @property
    def teacher(self) -> Known:
        """What trials are judged against."""

    @property
    def seconds(self) -> float:
        """Running time of the study."""

    @property
    def seconds_left(self) -> float | None:
        """Until `study.minutes`; None without that limit."""

    @property
    def show(self) -> Show:
        """The display."""
