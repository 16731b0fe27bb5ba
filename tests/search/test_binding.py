"""Why no file keeps every constraint."""

from __future__ import annotations

from optuna.trial import FrozenTrial, create_trial

from autocompress.search.binding import unkept
from autocompress.search.settings import Constraints

TEACHER = {"click": {"auc": 0.80}, "buy": {"auc": 0.70}}


def trial(number: int, drop: float, size: int, p50: float = 1.0) -> FrozenTrial:
    quality = {task: {"auc": values["auc"] - drop} for task, values in TEACHER.items()}
    made = create_trial(values=[drop, 5.0, 0.0], user_attrs={"quality": quality, "model_bytes": size, "p50": p50})
    made.number = number
    return made


TRIALS = [trial(0, 0.001, 900_000), trial(1, 0.004, 200_000), trial(2, 0.010, 50_000), trial(3, 0.012, 40_000)]


def test_where_a_file_keeps_all_or_nothing_ran_there_is_nothing_to_say() -> None:
    assert unkept(TRIALS, TEACHER, Constraints()) is None
    assert unkept(TRIALS, TEACHER, Constraints(auc_drop=0.005, max_bytes=200_000)) is None
    assert unkept([], TEACHER, Constraints(auc_drop=0.0)) is None


def test_the_constraint_that_the_fewest_keep_binds_and_the_nearest_are_shown_with_what_they_have() -> None:
    said = unkept(TRIALS, TEACHER, Constraints(auc_drop=0.002, max_bytes=100_000))
    assert said is not None
    assert "auc_drop binds (auc_drop=0.002 by 1 of 4 files; max_bytes=100000 by 2 of 4 files)" in said
    assert "Nearest: trial 1 (auc_drop 0.004, max_bytes 200 KB), trial 2 (auc_drop 0.01)" in said


def test_of_constraints_that_nobody_keeps_the_one_that_is_missed_by_most_binds() -> None:
    said = unkept(TRIALS, TEACHER, Constraints(auc_drop=0.0005, max_latency_ms=0.9))
    assert said is not None
    assert "auc_drop binds" in said
    assert "trial 0 (auc_drop 0.001, max_latency_ms 1)" in said


def test_a_bound_of_zero_is_no_division_by_it() -> None:
    said = unkept(TRIALS, TEACHER, Constraints(auc_drop=0.0))
    assert said is not None
    assert "trial 0 (auc_drop 0.001)" in said
