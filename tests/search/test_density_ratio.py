"""TPE is fitted on the latest trials and the front, and proposes what lies where the good of them do."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from autocompress.search.density_ratio import LATEST, DensityRatioSampler, best, divided
from autocompress.search.objectives import Vector, dominates
from autocompress.search.samplers.sampler import trials_over

SPACE: dict[str, BaseDistribution] = {
    "size": FloatDistribution(0.0, 1.0),
    "way": CategoricalDistribution(["a", "b"]),
    "way.knob": FloatDistribution(0.0, 1.0),
}
NAMES = list(SPACE)


def trial(
    size: float,
    way: str = "a",
    knob: float | None = None,
    *,
    loss: float = 0.01,
    broken: float = 0.0,
    stopped: float = 0,
) -> FrozenTrial:
    """Larger files are better by nothing but `loss`; `way` b has a knob."""
    params: dict[str, Any] = {"size": size, "way": way, **({} if knob is None else {"way.knob": knob})}
    return create_trial(
        state=TrialState.PRUNED if stopped else TrialState.COMPLETE,
        values=None if stopped else (loss, 5.0 + size, 0.0),
        params=params,
        distributions={name: SPACE[name] for name in params},
        constraints={"stopped": stopped} if stopped else {"drop": broken},
    )


def study_of(*trials: FrozenTrial, seed: int = 0, multivariate: bool = False, together: bool = False) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sampler = DensityRatioSampler(multivariate=multivariate, startup=12, seed=seed, together=together)
    study = optuna.create_study(directions=["minimize"] * 3, sampler=sampler)
    study.add_trials(trials)
    return study


def asked(study: optuna.Study, *names: str) -> dict[str, Any]:
    made = study.ask()
    for name in names or NAMES:
        made._suggest(name, SPACE[name])
    study.tell(made, state=TrialState.FAIL)
    return made.params


def sizes_of(*trials: FrozenTrial) -> tuple[list[float], list[float]]:
    """Of the good and of the bad."""
    over = trials_over(study_of(*trials))
    broken = {each.number: sum(by for by in each.constraints.values() if by > 0) for each in over}
    good, bad = divided(over, broken)
    return [each.params["size"] for each in good], [each.params["size"] for each in bad]


both = pytest.mark.parametrize("multivariate", [False, True])


def test_it_reads_the_latest_trials_and_the_front_wherever_that_is() -> None:
    front = [trial(0.001, loss=0.02), trial(0.9, loss=0.0)]
    forgotten, latest = [0.95] * 30, np.linspace(0.6, 0.8, LATEST).tolist()
    good, bad = sizes_of(*front, *map(trial, [*forgotten, *latest]))
    assert sorted([*good, *bad]) == sorted([0.001, 0.9, *latest])
    assert {0.001, 0.9} <= set(good)
    assert len(good) == math.ceil(0.1 * (LATEST + 2))


@both
def test_what_was_forgotten_changes_no_proposal(multivariate: bool) -> None:
    latest = [trial(size, "b", size) for size in np.linspace(0.3, 0.9, LATEST)]
    one = [trial(1.0, "a", loss=0.019) for _ in range(50)]
    other = [trial(0.95, "b", 0.1, loss=0.018) for _ in range(50)]
    first, second = (study_of(*old, *latest, multivariate=multivariate) for old in (one, other))
    assert [asked(first) for _ in range(5)] == [asked(second) for _ in range(5)]


@both
def test_proposals_lie_where_the_good_plans_do(multivariate: bool) -> None:
    draw = np.random.default_rng(0)
    tried = [trial(size, "b" if size < 0.3 else "a", size if size < 0.3 else None) for size in draw.random(150)]
    study = study_of(*tried, multivariate=multivariate)
    found = [asked(study) for _ in range(40)]
    assert np.mean([each["size"] for each in found]) < 0.25
    assert np.mean([each["way"] == "b" for each in found]) > 0.8
    assert np.mean([each["way.knob"] for each in found]) < 0.35
    assert len({each["size"] for each in found}) > 20


@both
def test_the_first_plans_and_parameters_that_nobody_had_are_random(multivariate: bool) -> None:
    few = study_of(*(trial(0.01) for _ in range(11)), multivariate=multivariate)
    assert np.mean([asked(few)["size"] for _ in range(60)]) == pytest.approx(0.5, abs=0.12)
    without = study_of(*(trial(0.01) for _ in range(30)), multivariate=multivariate)
    knobs = [asked(without)["way.knob"] for _ in range(60)]
    assert np.mean(knobs) == pytest.approx(0.5, abs=0.12)


def test_what_broke_least_and_what_came_farthest_are_good_where_too_few_files_keep_everything() -> None:
    kept = [trial(0.9)]
    broken = [trial(0.1 + 0.001 * number, broken=0.5 + number) for number in range(10)]
    stopped = [trial(0.2 + 0.001 * number, stopped=0.1 + number) for number in range(10)]
    good, _ = sizes_of(*broken, *stopped, *kept)
    assert good == [0.1, 0.2, 0.9]


@both
def test_what_others_are_trying_counts_as_bad(multivariate: bool) -> None:
    tried = [trial(size, loss=0.01 + size) for size in np.linspace(0, 1, 40)]

    def mean_size(together: bool) -> float:
        study = study_of(*tried, multivariate=multivariate, together=together)
        for _ in range(30):
            other = study.ask(fixed_distributions={})
            for name, value in (("size", 0.02), ("way", "a")):
                study._storage.set_trial_param(other._trial_id, name, SPACE[name].to_internal_repr(value), SPACE[name])
        return float(np.mean([asked(study, "size", "way")["size"] for _ in range(30)]))

    assert mean_size(True) > mean_size(False) + 0.02


vectors = st.tuples(
    st.floats(-0.002, 0.02, allow_nan=False), st.floats(4, 7, allow_nan=False), st.floats(-1, 0.3, allow_nan=False)
)


@given(st.lists(vectors, min_size=1, max_size=40), st.integers(1, 40))
def test_of_files_nobody_is_left_out_who_dominates_one_that_is_chosen(found: list[Vector], several: int) -> None:
    files = dict(enumerate(found))
    chosen = best(files, several)
    assert len(chosen) == min(several, len(files))
    assert not any(dominates(files[other], files[one]) for other in files.keys() - chosen for one in chosen)
