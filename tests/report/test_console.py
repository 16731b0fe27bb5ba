import io
from pathlib import Path

import pytest
from rich.console import Console

from autocompress.report.console import print_front
from autocompress.report.contract import FrontFile


def _printed(front: FrontFile) -> str:
    text = io.StringIO()
    print_front(front, Console(file=text, width=80), folder=Path("outputs/x"), commands={"compare": "mlflow ui"})
    return text.getvalue()


def test_two_tasks_fit_into_80_columns(example: FrontFile) -> None:
    assert max(map(len, _printed(example).splitlines())) < 80


def test_more_tasks_show_the_worst_of_them_and_still_fit(example: FrontFile) -> None:
    content = example.model_dump()
    for file in (content["teacher"], *content["landmarks"], *content["points"]):
        file["quality"]["a_third_task_with_a_very_long_name"] = file["quality"]["conversion"]
    text = _printed(FrontFile.model_validate(content))
    assert "of 3" in text
    assert max(map(len, text.splitlines())) < 80


def test_a_point_shows_its_words_quality_size_and_speed(example: FrontFile) -> None:
    lines = _printed(example).splitlines()
    row = next(number for number, line in enumerate(lines) if line.startswith("trial 34"))
    assert " ".join(lines[row].split()) == "trial 34 0.7672 -0.0016 0.8275 -0.0022 702 22.4x 0.641 3.7x"
    assert lines[row + 1].strip() == "keeps 50 % of rows, 40 % of channels, 4/8 bit"


def test_landmarks_warnings_and_the_best_possible_auc_are_shown(example: FrontFile) -> None:
    text = " ".join(_printed(example).split())
    assert "! These numbers are made up" in text
    assert "(ended, synthetic data)" in text
    assert "quantize_dynamic: stock quantize_dynamic" in text
    assert "Best possible AUC for click: 0.7741" in text
    assert "(breaks a constraint)" in text


def test_a_point_that_a_landmark_dominates_says_so(example: FrontFile) -> None:
    point = example.points[0].model_copy(update={"dominated_by": "small", "feasible": False})
    text = _printed(example.model_copy(update={"points": (point,)}))
    assert "(breaks a constraint, dominated by small)" in " ".join(text.split())


def test_a_running_study_shows_validation_values(running: FrontFile) -> None:
    text = _printed(running)
    assert "validation split; change from the teacher" in text
    assert "0.7693" in text


def test_an_empty_front_is_told_in_words(running: FrontFile) -> None:
    assert "no compressed file yet" in _printed(running.model_copy(update={"points": ()}))


def test_paths_and_commands_stay_on_one_line(example: FrontFile) -> None:
    text = io.StringIO()
    long = Path("outputs") / ("a" * 90)
    print_front(example, Console(file=text, width=80), folder=long, commands={"compare": "mlflow ui"})
    assert f"front: {long / 'front.html'}\n" in text.getvalue()
    assert text.getvalue().endswith("compare: mlflow ui\n")


def test_words_in_brackets_are_no_markup(example: FrontFile) -> None:
    point = example.points[0].model_copy(update={"words": "keeps [bold]everything[/bold]"})
    assert "keeps [bold]everything[/bold]" in _printed(example.model_copy(update={"points": (point,)}))


def test_without_a_terminal_there_is_no_colour(example: FrontFile, capsys: pytest.CaptureFixture[str]) -> None:
    print_front(example)
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "trial 34" in out
