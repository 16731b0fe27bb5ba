import io
import logging
import sys
from collections.abc import Iterator

import pytest
from rich.console import Console

from autocompress.report.progress import Progress


def _study(show: Progress) -> None:
    show.phase("training the teacher")
    show.teacher_epoch(1, 2, 0.45, "AUC", 0.7412)
    show.phase("searching")
    show.trial(0, 40, "keeps 50 % of rows")
    show.rung(0, "rung 1", -0.0031)
    show.front(1, 0.0123)
    show.finished(0, "complete")
    show.time_left(185.4)
    show.trial(1, None, "keeps 30 % of rows " * 9)
    show.note("the teacher beats the small model")


def _interrupted_study() -> None:
    with Progress("study", Console(file=io.StringIO(), width=80, force_terminal=True)) as show:
        show.trial(0, 1, "words")
        raise KeyboardInterrupt


@pytest.fixture
def outside_logger() -> Iterator[logging.Logger]:
    """A library's logger, made before the display starts."""
    logger = logging.getLogger("tests.outside")
    sink = logging.StreamHandler()
    logger.addHandler(sink)
    yield logger
    logger.removeHandler(sink)


def test_without_a_terminal_phases_trials_and_notes_are_plain_lines() -> None:
    text = io.StringIO()
    with Progress("study", Console(file=text, width=80)) as show:
        _study(show)
    lines = text.getvalue().splitlines()
    assert "\x1b" not in text.getvalue()
    assert max(map(len, lines)) <= 100
    assert [line.partition("] ")[2] or line.strip() for line in lines] == [
        "training the teacher",
        "  epoch 1 of 2, loss 0.4500, AUC 0.7412",
        "searching",
        "trial 0 (1 of 40): keeps 50 % of rows",
        "complete at rung 1 -0.0031; front: 1 file, hypervolume 0.0123",
        "the teacher beats the small model",
        f"trial 1: {'keeps 30 % of rows ' * 3}keeps 30 % of rows...",
        "front: 1 file, hypervolume 0.0123; 3 min 05 s left",
    ]


def test_time_left_runs_down_between_two_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(1000, 2000, 60))
    monkeypatch.setattr("autocompress.report.progress.time.monotonic", lambda: next(clock))
    show = Progress("study", Console(file=io.StringIO(), width=80))
    show.time_left(185)
    assert show._left() == "2 min 05 s left"
    assert show._left() == "1 min 05 s left"


@pytest.mark.parametrize("width", [40, 80, 200])
def test_the_panel_has_six_lines_of_at_most_80_columns(width: int) -> None:
    text = io.StringIO()
    with Progress("a study with a name", Console(file=text, width=width, force_terminal=True)) as show:
        _study(show)
        plain = Console(file=io.StringIO(), width=width, record=True)
        plain.print(show._panel())
    lines = plain.export_text().splitlines()
    assert len(lines) == 6
    assert max(map(len, lines)) == min(width, 80)
    assert "a study with a name" in lines[0]


def test_on_a_terminal_notes_stay_and_the_panel_goes() -> None:
    text = io.StringIO()
    with Progress("study", Console(file=text, width=80, force_terminal=True)) as show:
        _study(show)
    assert "the teacher beats the small model" in text.getvalue()
    assert text.getvalue().endswith("\x1b[2K")


def test_other_loggers_write_above_the_panel_and_get_their_stream_back(outside_logger: logging.Logger) -> None:
    sink = outside_logger.handlers[0]
    assert isinstance(sink, logging.StreamHandler)
    before = sink.stream
    text = io.StringIO()
    with Progress("study", Console(file=text, width=80, force_terminal=True)):
        outside_logger.warning("a library has something to say")
        print("and prints")
    assert "a library has something to say" in text.getvalue()
    assert "and prints" in text.getvalue()
    assert sink.stream is before


def test_an_error_inside_passes_through_and_leaves_the_streams_as_they_were() -> None:
    out, err = sys.stdout, sys.stderr
    with pytest.raises(KeyboardInterrupt):
        _interrupted_study()
    assert (sys.stdout, sys.stderr) == (out, err)
