"""What a rung says of the end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.trial import FrozenTrial, TrialState, create_trial

from autocompress.search.learning_curve import (
    FINISHES,
    at_the_end,
    share_left,
    vectors_at,
    vectors_at_end,
    vectors_of_files,
)
from autocompress.search.objectives import Vector
from autocompress.search.recoveries import recoveries, rows_of

AT_RUNG: dict[int, Vector] = {number: (0.01 * (number + 1), 5.0, 0.0) for number in range(5)}
ENDED: dict[int, Vector] = {number: (0.002 * (number + 1), 5.0, 0.0) for number in range(5)}


def trial(number: int, rungs: list[float], state: TrialState) -> FrozenTrial:
    names = ["gate", "one-shot", "rung 1"][: len(rungs)]
    seen = [{"rung": name, "vector": [loss, 5.0, -0.5]} for name, loss in zip(names, rungs, strict=True)]
    values = [rungs[-1] / 2, 5.0, -0.5] if state is TrialState.COMPLETE else None
    made = create_trial(state=state, values=values, user_attrs={"rungs": seen})
    made.number = number
    return made


def test_the_share_is_read_from_trials_that_showed_both() -> None:
    assert share_left(0.02, AT_RUNG, ENDED, 0.5) is not None
    assert abs((share_left(0.02, AT_RUNG, ENDED, 0.5) or 0) - 0.2) < 1e-9
    assert share_left(0.02, AT_RUNG, {number: ENDED[number] for number in range(3)}, 0.5) is None
    assert share_left(0.02, {}, ENDED, 0.5) is None


def test_who_has_lost_much_is_compared_with_those_that_had() -> None:
    little: dict[int, Vector] = {number: (0.01, 5.0, 0.0) for number in range(8)}
    much: dict[int, Vector] = {number: (0.08, 5.0, 0.0) for number in range(8, 16)}
    ended: dict[int, Vector] = {number: (0.001 if number < 8 else 0.04, 5.0, 0.0) for number in range(16)}
    assert share_left(0.012, {**little, **much}, ended, 0.5) == pytest.approx(0.1)
    assert share_left(0.07, {**little, **much}, ended, 0.5) == pytest.approx(0.5)
    assert share_left(-0.001, {**little, **much}, ended, 0.5) is None


def test_who_lost_nothing_at_the_rung_says_nothing_and_who_lost_more_later_lost_all() -> None:
    nothing_lost: dict[int, Vector] = {number: (0.0001, 5.0, 0.0) for number in range(9)}
    assert share_left(0.02, nothing_lost, ENDED, 0.5) is None
    worse: dict[int, Vector] = {number: (1.0, 5.0, 0.0) for number in range(9)}
    assert share_left(0.02, AT_RUNG, worse, 0.5) == 1.0


@given(st.floats(-0.05, 0.5), st.floats(0.0, 1.0))
def test_a_loss_never_grows_and_a_gain_stays(loss: float, share: float) -> None:
    found = at_the_end((loss, 5.0, -0.5), share)
    assert found[0] <= loss or loss < 0
    assert found[0] == loss or loss > 0
    assert found[1:] == (5.0, -0.5)


def test_a_plan_that_another_trial_finished_counts_by_the_number_of_the_first() -> None:
    begun = trial(0, [0.0, 0.03, 0.02], TrialState.COMPLETE)
    finishing = trial(7, [0.0, 0.03, 0.004], TrialState.COMPLETE)
    finishing.set_user_attr(FINISHES, 0)
    finishing.user_attrs["rungs"][-1]["rung"] = "rung 2"
    stopped = trial(4, [0.0, 0.04, 0.03], TrialState.PRUNED)
    trials = [begun, finishing, stopped]
    assert vectors_at_end(trials, "rung 2") == {0: (0.002, 5.0, -0.5)}
    assert vectors_at_end(trials, "rung 1") == {0: (0.01, 5.0, -0.5)}
    assert set(vectors_of_files(trials)) == {0, 7}
    assert set(vectors_at(trials, "rung 1")) == {0, 4}


def test_the_last_rung_may_be_the_whole_log_and_no_rung_before_it_is_as_long() -> None:
    assert rows_of((80_000, 320_000, "all"), 1_000_000) == [80_000, 320_000, 1_000_000]
    assert rows_of((80_000, 320_000, "all"), 320_000) == [80_000, 320_000]
    assert rows_of((80_000, 320_000, "all"), 50_000) == [50_000]
    assert rows_of((80_000, 320_000), 50_000) == [80_000, 320_000]
    assert [(each.data_share, each.epochs) for each in recoveries((100, 300), 100, 0.0)] == [(1.0, 1), (1.0, 3)]
    assert [(each.data_share, each.epochs) for each in recoveries((25, "all"), 100, 0.0)] == [(0.25, 1), (1.0, 1)]
