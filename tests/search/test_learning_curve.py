"""What a rung says of the end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.trial import FrozenTrial, TrialState, create_trial

from autocompress.search.learning_curve import (
    FINISHES,
    Point,
    at_the_end,
    expected,
    share_left,
    told_at,
    vectors_at,
    vectors_at_end,
    vectors_of_files,
)
from autocompress.search.recoveries import recoveries, rows_of

TOLD = [(Point(0.01 * (number + 1), 0.02 * (number + 1)), 0.002 * (number + 1)) for number in range(5)]


def trial(number: int, rungs: list[float], state: TrialState) -> FrozenTrial:
    names = ["gate", "one-shot", "rung 1"][: len(rungs)]
    seen = [{"rung": name, "vector": [loss, 5.0, -0.5]} for name, loss in zip(names, rungs, strict=True)]
    values = [rungs[-1] / 2, 5.0, -0.5] if state is TrialState.COMPLETE else None
    made = create_trial(state=state, values=values, user_attrs={"rungs": seen})
    made.number = number
    return made


def test_the_share_is_read_from_trials_that_were_trained_to_the_end() -> None:
    assert share_left(Point(0.02, 0.04), TOLD, 0.5) == pytest.approx(0.2, rel=0.1)


def test_while_nobody_tells_a_longer_training_is_thought_to_do_once_more_what_a_first_one_did() -> None:
    assert share_left(Point(0.02, 0.05), [], 0.5) == pytest.approx(0.4**1.5)
    assert share_left(Point(0.02, 0.02), [], 0.5) == 1.0
    assert share_left(Point(0.03, 0.02), [], 0.5) == 1.0


def test_those_that_training_did_nothing_for_say_nothing_of_those_that_it_helped() -> None:
    idle = [(Point(0.01 + 0.001 * number, 0.01 + 0.001 * number), 0.01 + 0.001 * number) for number in range(8)]
    assert share_left(Point(0.02, 0.02), idle, 0.5) == pytest.approx(1.0, rel=0.02)
    assert share_left(Point(0.02, 0.04), idle, 0.5) == pytest.approx(0.5**1.5, rel=0.1)


def test_luck_is_worth_less_the_more_trials_tell() -> None:
    asked = Point(0.02, 0.04)
    few, many = TOLD[:2], TOLD * 8
    assert share_left(asked, [], 0.25) < share_left(asked, [], 0.5)
    wide, narrow = (share_left(asked, told, 0.5) / share_left(asked, told, 0.25) for told in (few, many))
    assert 1.0 < narrow < wide


def test_who_has_lost_much_is_compared_with_those_that_had() -> None:
    little = [(Point(0.01, 0.02), 0.001)] * 8
    much = [(Point(0.08, 0.16), 0.04)] * 8
    assert share_left(Point(0.012, 0.024), [*little, *much], 0.5) == pytest.approx(0.1, rel=0.25)
    assert share_left(Point(0.07, 0.14), [*little, *much], 0.5) == pytest.approx(0.5, rel=0.25)


def test_who_recovers_slowly_is_compared_with_those_that_did() -> None:
    slow = [(Point(0.02, 0.021), 0.02)] * 8
    fast = [(Point(0.02, 0.08), 0.002)] * 8
    assert share_left(Point(0.02, 0.022), [*slow, *fast], 0.5) > 0.8
    assert share_left(Point(0.02, 0.08), [*slow, *fast], 0.5) == pytest.approx(0.1, rel=0.25)


def test_who_lost_more_later_lost_all() -> None:
    worse = [(point, 1.0) for point, _ in TOLD]
    assert share_left(Point(0.02, 0.04), worse, 0.5) > 0.9


@given(st.lists(st.tuples(st.floats(0.0003, 0.2), st.floats(0.0, 0.2), st.floats(-0.01, 0.3)), max_size=6))
def test_a_share_is_a_share(seen: list[tuple[float, float, float]]) -> None:
    told = [(Point(loss, began), end) for loss, began, end in seen]
    assert 0.0 < share_left(Point(0.02, 0.04), told, 0.25) <= share_left(Point(0.02, 0.04), told, 0.5) <= 1.0


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
    assert told_at(trials, "rung 1", "rung 2") == [(Point(0.02, 0.03), 0.002)]
    assert told_at(trials, "rung 1", "rung 3") == []


def test_what_plans_will_come_to_counts_each_once_and_stopped_ones_too() -> None:
    begun = trial(0, [0.0, 0.03, 0.02], TrialState.COMPLETE)
    finishing = trial(7, [0.0, 0.03, 0.004], TrialState.COMPLETE)
    finishing.set_user_attr(FINISHES, 0)
    finishing.user_attrs["rungs"][-1]["rung"] = "rung 2"
    stopped, at_gate = trial(4, [0.0, 0.04, 0.03], TrialState.PRUNED), trial(5, [0.0], TrialState.PRUNED)
    shipped = trial(6, [0.0, 0.04, 0.02], TrialState.COMPLETE)
    found = expected([begun, stopped, at_gate, shipped, finishing])
    assert set(found) == {0, 4, 6}
    assert found[0] == (0.002, 5.0, -0.5)
    assert 0.0 < found[6][0] < 0.01
    assert found[6][0] < found[4][0] < 0.03
    assert expected([begun, shipped])[6] == (0.01, 5.0, -0.5), "nobody has gone farther"
    assert expected([]) == {}


def test_the_last_rung_may_be_the_whole_log_and_no_rung_before_it_is_as_long() -> None:
    assert rows_of((80_000, 320_000, "all"), 1_000_000) == [80_000, 320_000, 1_000_000]
    assert rows_of((80_000, 320_000, "all"), 320_000) == [80_000, 320_000]
    assert rows_of((80_000, 320_000, "all"), 50_000) == [50_000]
    assert rows_of((80_000, 320_000), 50_000) == [80_000, 320_000]
    assert [(each.data_share, each.epochs) for each in recoveries((100, 300), 100, 0.0)] == [(1.0, 1), (1.0, 3)]
    assert [(each.data_share, each.epochs) for each in recoveries((25, "all"), 100, 0.0)] == [(0.25, 1), (1.0, 1)]
