"""What a person watches while a study runs: a small live panel on a terminal, short plain lines anywhere else."""

from __future__ import annotations

import logging
import sys
import time
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Self

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.text import Text

from autocompress.report import wording
from autocompress.report.console import plain_console

_WIDTH, _LINE = 80, 100
_Moved = tuple[logging.StreamHandler[Any], Any]  # a logger's sink and the stream it had
_REFRESHES_PER_SECOND = 2  # a terminal needs no more, and the trials share these cores


@dataclass(frozen=True)
class _State:
    """What is known right now; empty text where nothing is."""

    phase: str = "starting"
    epoch: str = ""
    share: float | None = None
    trial: str = ""
    words: str = ""
    rung: str = ""
    front: str = "no file yet"
    deadline: float | None = None


class Progress:
    """Shows a study while it runs; a context manager.

    On a terminal it is a panel of six lines that vanishes at the end, and whatever else prints or logs meanwhile
    appears above it. Anywhere else it prints a line for each phase and each note and two of at most 100 columns for
    each trial that is over, without control codes. Every method may be called in any order and from any thread; none
    raises on odd input.
    """

    def __init__(self, study_name: str, console: Console | None = None) -> None:
        """Takes the study's name for the title; without a console it shows on stdout."""
        self._name = study_name
        self._console = console or plain_console()
        self._state = _State()
        self._started = time.monotonic()
        self._unreported = False
        self._live: Live | None = None
        self._moved: list[_Moved] = []

    def __enter__(self) -> Self:
        """Starts the display."""
        self._started = time.monotonic()
        if self._console.is_terminal:
            before = {id(sys.stdout), id(sys.stderr)}
            self._live = Live(
                get_renderable=self._panel,
                console=self._console,
                refresh_per_second=_REFRESHES_PER_SECOND,
                transient=True,
            )
            self._live.start(refresh=True)
            self._moved = _redirected_loggers(before)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends the display and gives every log stream back; errors pass through."""
        self._report_trial()
        if self._live is not None:
            self._live.stop()
            self._live = None
        for logger, stream in self._moved:
            logger.setStream(stream)
        self._moved = []

    def phase(self, text: str) -> None:
        """A new part of the study has begun, such as `training the teacher`."""
        self._report_trial()
        self._state = replace(self._state, phase=text, epoch="", share=None, trial="", words="", rung="")
        self._line(text)

    def teacher_epoch(self, epoch: int, of: int, loss: float, metric: str, value: float | None) -> None:
        """Epoch `epoch` of `of` (counted from 1) is over, with its training loss and validation AUC."""
        score = "" if value is None else f", {metric} {wording.quality(value)}"
        text = f"epoch {epoch} of {of}, loss {loss:.4f}{score}"
        self._state = replace(self._state, epoch=text, share=epoch / of if of else None)
        self._line(f"  {text}")

    def trial(self, number: int, of: int | None, words: str) -> None:
        """Trial `number` (counted from 0) has begun; `of` trials are planned, None where only time limits them."""
        self._report_trial()
        text = f"trial {number}" if of is None else f"trial {number} ({number + 1} of {of})"
        share = number / of if of else None
        self._state = replace(self._state, trial=text, words=words, rung="", epoch="", share=share)
        self._unreported = True

    def rung(self, number: int, rung: str, quality: float | None) -> None:
        """Trial `number` has been judged at `rung`; `quality` is its change from the teacher where that is known."""
        self._state = replace(self._state, rung=rung if quality is None else f"{rung} {wording.change(quality)}")

    def finished(self, number: int, state: str) -> None:
        """Trial `number` is over: `complete`, `stopped` or `failed`. Call it after `front`, whose numbers it prints."""
        rung = self._state.rung
        self._state = replace(self._state, rung=f"{state} at {rung}" if rung else state)
        self._report_trial()

    def front(self, size: int, hypervolume: float) -> None:
        """The front now holds `size` files."""
        files = "1 file" if size == 1 else f"{size} files"
        self._state = replace(self._state, front=f"{files}, hypervolume {hypervolume:.4g}")

    def time_left(self, seconds: float | None) -> None:
        """At most `seconds` remain; None where nobody can tell."""
        self._state = replace(self._state, deadline=None if seconds is None else time.monotonic() + seconds)

    def note(self, text: str) -> None:
        """A line that stays, above the panel."""
        self._console.print(Text(text), highlight=False, soft_wrap=True)

    def _line(self, text: str) -> None:
        """A plain line, where there is no panel to say it."""
        if self._live is None:
            self.note(f"{self._clock()}{text}")

    def _clock(self) -> str:
        return f"[{wording.duration(time.monotonic() - self._started):>9}] "

    def _left(self) -> str:
        deadline = self._state.deadline
        return "" if deadline is None else f"{wording.duration(deadline - time.monotonic())} left"

    def _report_trial(self) -> None:
        state, self._unreported, due = self._state, False, self._unreported
        if due and self._live is None:
            clock = self._clock()
            told = "; ".join(part for part in (state.rung, f"front: {state.front}", self._left()) if part)
            for line in (f"{clock}{state.trial}: {state.words}", f"{' ' * len(clock)}{told}"):
                self.note(line if len(line) <= _LINE else f"{line[: _LINE - 3].rstrip()}...")

    def _panel(self) -> Panel:
        state, width = self._state, min(_WIDTH, self._console.width)
        inside = width - 4
        counted = state.epoch or state.trial
        bar = _bar(state.share, min(24, inside // 3))
        lines = [
            Text(state.phase, "bold"),
            Text.assemble((bar, "cyan"), " " if bar else "", counted or "-", f", {state.rung}" if state.rung else ""),
            Text(state.words or "-", "dim"),
            Text(f"front: {state.front}"),
        ]
        for line in lines:
            line.truncate(inside, overflow="ellipsis")
        elapsed = wording.duration(time.monotonic() - self._started)
        left = self._left()
        times = f"{elapsed}, {left}" if left else elapsed
        return Panel(
            Group(*lines),
            title=Text(self._name),
            title_align="left",
            subtitle=Text(times),
            subtitle_align="right",
            width=width,
        )


def _bar(share: float | None, width: int) -> str:
    if share is None:
        return ""
    full = round(max(0.0, min(1.0, share)) * width)
    return "#" * full + "." * (width - full)


def _redirected_loggers(before: set[int]) -> list[_Moved]:
    """Sends loggers that hold the real stdout or stderr to the redirected one; returns each with its old stream.

    Libraries make their logging streams at import, before the panel takes the two streams over: left alone, their
    lines would be written straight into it.
    """
    loggers = [logging.getLogger(), *(logging.getLogger(name) for name in list(logging.root.manager.loggerDict))]
    moved: dict[int, _Moved] = {}
    for sink in (sink for logger in loggers for sink in logger.handlers):
        if isinstance(sink, logging.StreamHandler) and id(sink.stream) in before and id(sink) not in moved:
            moved[id(sink)] = (sink, sink.stream)
            sink.setStream(sys.stderr)
    return list(moved.values())
