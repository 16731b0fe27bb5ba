"""What a pull was worth, and what is known when an arm is chosen."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from autocompress.search.bandit import BELIEFS, LATEST, NONE, context_of, pulls_of, share_left
from autocompress.search.learning_curve import vectors_of_files
from autocompress.search.objectives import Vector, hypervolume
from autocompress.search.samplers.sampler import Setting

TEACHER_BYTES = 10_000_000
ARMS = ["channels", NONE]
SWITCH = CategoricalDistribution([True, False])


def trial(number: int, vector: Vector | None, *, seconds: float = 1.0, arm: str = "channels", used: bool = True) -> Any:
    made = create_trial(
        state=TrialState.PRUNED if vector is None else TrialState.COMPLETE,
        values=vector,
        params={"channels.when": used},
        distributions={"channels.when": SWITCH},
        user_attrs={BELIEFS: {"arm": arm, "values": {}, "context": [1.0, 0.0, 0.0, 0.0, 1.0, 1.0]}},
    )
    made.number = number
    made.datetime_start = datetime(2026, 1, 1)
    made.datetime_complete = datetime(2026, 1, 1) + timedelta(seconds=seconds)
    return made


def rewards(trials: list[FrozenTrial]) -> list[float]:
    return [pull.reward for pull in pulls_of(trials, vectors_of_files(trials), ARMS, TEACHER_BYTES)]


vectors = st.tuples(st.floats(-0.01, 0.03), st.floats(4.5, 7.5), st.floats(-1.0, 0.2))


@given(st.lists(st.one_of(vectors, st.none()), min_size=1, max_size=25))
def test_a_pull_is_worth_the_volume_that_its_file_added_to_that_of_all_before_it(found: list[Vector | None]) -> None:
    trials = [trial(number, vector) for number, vector in enumerate(found)]
    held = [hypervolume([each for each in found[:count] if each], TEACHER_BYTES) for count in range(len(found) + 1)]
    added = np.diff(held)
    usual = np.median(added[added > 0]) if (added > 0).any() else 1.0
    assert rewards(trials) == pytest.approx(np.minimum(1.0, added / usual), abs=1e-6)


def test_a_pull_is_worth_less_where_it_took_longer() -> None:
    better = [(0.01, 6.0, -0.5), (0.01, 5.5, -0.5), (0.01, 5.0, -0.5)]
    quick, usual, slow = rewards([trial(n, each, seconds=4.0**n) for n, each in enumerate(better)])
    assert (quick, usual) == (1.0, 1.0)
    assert slow == pytest.approx(0.25, rel=0.01)


def test_only_the_latest_pulls_count_and_what_they_add_is_beside_all_that_was_found_before() -> None:
    first = [trial(number, (0.001, 5.0, -0.5)) for number in range(30)]
    later = [trial(30 + number, (0.002, 5.5, -0.3)) for number in range(LATEST - 1)]
    gain = trial(30 + len(later), (0.001, 4.9, -0.5))
    found = rewards([*first, *later, gain])
    assert len(found) == LATEST
    assert found == [0.0] * (LATEST - 1) + [1.0]


def test_a_plan_that_came_out_without_its_arm_is_no_pull() -> None:
    assert rewards([trial(0, (0.001, 5.0, 0.0), used=False)]) == []
    (pull,) = pulls_of([trial(0, None, arm=NONE, used=False)], {}, ARMS, TEACHER_BYTES)
    assert (pull.arm, pull.reward) == (1, 0.0)


def test_the_context_tells_where_the_front_has_its_gap_how_many_files_keep_and_what_is_left() -> None:
    gap_at_the_end = [(0.01, 5.0, 0.0), (0.008, 5.2, 0.0), (0.0, 6.0, 0.0)]
    assert context_of(gap_at_the_end, 2, 0.25) == pytest.approx([1, 0, 0.8, 0, 2 / 3, 0.25])
    assert context_of([], 0, 1.0).tolist() == [1, 0, 0, 0, 1, 1]
    assert share_left(Setting({}, 0, 40, 2.0), trials=10, seconds=90) == 0.25
    assert share_left(Setting({}, 0, None, None), trials=10, seconds=90) == 1.0
