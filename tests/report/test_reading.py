import pytest

from autocompress.measure.quality import drop
from autocompress.report import wording
from autocompress.report.contract import FrontFile
from autocompress.report.reading import Split, shown, smallest_within, splits, worst_change
from autocompress.report.summary import best_possible, summary


def test_the_test_split_comes_first_once_every_file_was_tested(example: FrontFile, running: FrontFile) -> None:
    assert splits(example) == ("test", "valid")
    assert splits(running) == ("valid",)


def test_a_drop_is_shown_as_a_negative_change_with_its_bounds_turned_round(example: FrontFile) -> None:
    point = example.points[-1]
    stored = point.quality["click"]["auc"]
    value = shown(example, point, "click", "test")
    assert stored.test_drop is not None
    assert stored.test_drop_ci95 is not None
    assert value.change == -stored.test_drop
    assert (value.low, value.high) == (-stored.test_drop_ci95[1], -stored.test_drop_ci95[0])


@pytest.mark.parametrize("split", ["test", "valid"])
def test_more_log_loss_is_a_loss_on_either_split(split: Split, example: FrontFile) -> None:
    front = example.model_copy(update={"metric": "log_loss"})
    value = shown(front, front.points[-1], "click", split)
    assert value.value > shown(front, front.teacher, "click", split).value
    assert value.change < 0
    if split == "test":
        assert value.low is not None
        assert value.high is not None
        assert value.low < value.change < value.high < 0


def test_the_example_turns_every_drop_so_that_positive_is_a_loss(example: FrontFile) -> None:
    for file in (*example.landmarks, *example.points):
        for task, values in file.quality.items():
            for metric, value in values.items():
                teacher = example.teacher.quality[task][metric]
                assert value.test is not None
                assert teacher.test is not None
                assert value.test_drop == pytest.approx(drop(metric, teacher.test, value.test))


def test_asking_for_a_split_that_was_not_opened_is_an_error(running: FrontFile) -> None:
    with pytest.raises(ValueError, match="no test value for click"):
        shown(running, running.teacher, "click", "test")


def test_the_smallest_within_a_drop_is_judged_by_the_worst_task_and_its_bound(example: FrontFile) -> None:
    point = smallest_within(example, 0.003, "test")
    assert point is not None
    assert worst_change(example, point, "test", bound=True) >= -0.003
    smaller = [other for other in example.points if other.model_bytes < point.model_bytes]
    assert smaller
    assert all(worst_change(example, other, "test", bound=True) < -0.003 for other in smaller)


def test_the_summary_names_the_smallest_files_within_both_drops(example: FrontFile) -> None:
    text = summary(example)
    assert "at the 95 % bound" in text
    assert "loses at most .001 AUC is trial 12" in text
    assert "loses at most .003 AUC is trial 34: 702 KB, 22.4x smaller, 3.7x as fast" in text


def test_the_summary_of_a_running_study_says_validation(running: FrontFile) -> None:
    assert "on validation and without an interval" in summary(running)


def test_the_summary_of_an_empty_front_says_so(running: FrontFile) -> None:
    assert "There is no compressed file yet." in summary(running.model_copy(update={"points": ()}))


def test_the_best_possible_auc_stands_beside_the_teachers(example: FrontFile) -> None:
    assert best_possible(example)[0] == ("click", "0.7741 on the test split; the teacher reaches 0.7688")


@pytest.mark.parametrize(
    ("count", "text"),
    [(640, "640 B"), (411_900, "412 KB"), (999_600, "1 MB"), (15_734_212, "15.7 MB"), (3e9, "3.0 GB")],
)
def test_sizes_are_read_in_the_unit_that_fits(count: float, text: str) -> None:
    assert wording.size(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59.6, "1 min 00 s"), (185, "3 min 05 s"), (8040, "2 h 14 min")]
)
def test_durations_are_read_in_words(seconds: float, text: str) -> None:
    assert wording.duration(seconds) == text


def test_no_change_has_no_sign() -> None:
    assert wording.change(-0.00001) == "0.0000"
    assert wording.change(-0.0012) == "-0.0012"
