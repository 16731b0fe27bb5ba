"""Parents are drawn from the front of what counts, and what promises most is tried."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from autocompress.search.learning_curve import FINISHES
from autocompress.search.objectives import REFERENCE, Vector
from autocompress.search.outlook import STARTUP
from autocompress.search.samplers.evolution import Evolution
from autocompress.search.samplers.gp import Gp
from autocompress.search.samplers.sampler import TEACHER_BYTES, Sampler, Setting

SPACE: dict[str, BaseDistribution] = {
    "size": FloatDistribution(0.0, 1.0),
    "quality": FloatDistribution(0.0, 1.0),
    "kind": CategoricalDistribution(["a", "b"]),
}


def vector_of(params: Mapping[str, Any]) -> Vector:
    """Larger files and better ones; `quality` is worth most near 1."""
    return 0.03 * (1 - params["quality"]) - 0.004 * params["size"], 5.0 + params["size"], -0.3


def trial(
    params: dict[str, Any], *, broken: float = 0.0, finishes: int | None = None, loss: float = 0.0
) -> FrozenTrial:
    vector = vector_of(params)
    vector = (vector[0] + loss, *vector[1:])
    last = "rung 1" if finishes is None else "rung 2"
    rungs = [{"rung": name, "vector": list(vector)} for name in ("gate", "one-shot", last)]
    return create_trial(
        state=TrialState.COMPLETE,
        values=vector,
        params=params,
        distributions=SPACE,
        user_attrs={"rungs": rungs, **({} if finishes is None else {FINISHES: finishes})},
        constraints={"drop": broken, REFERENCE: 1.0},
    )


def study_of(*trials: FrozenTrial, seed: int = 0, kind: Sampler | None = None) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sampler = (kind or Evolution()).build(Setting({}, seed, None, None))
    study = optuna.create_study(directions=["minimize"] * 3, sampler=sampler)
    study.set_user_attr(TEACHER_BYTES, 10_000_000)
    study.add_trials(trials)
    return study


def asked(study: optuna.Study) -> dict[str, Any]:
    made = study.ask()
    for name, each in SPACE.items():
        made._suggest(name, each)
    study.tell(made, state=TrialState.FAIL)
    return made.params


def somewhere(seed: int) -> dict[str, Any]:
    draw = np.random.default_rng(seed)
    return {"size": draw.random(), "quality": draw.random(), "kind": str(draw.choice(["a", "b"]))}


both = pytest.mark.parametrize("kind", [Evolution(), Gp()], ids=lambda each: str(each.kind))


@both
def test_proposals_are_better_than_what_is_drawn_at_random(kind: Sampler) -> None:
    tried = [somewhere(seed) for seed in range(30)]
    study = study_of(*(trial(params) for params in tried), kind=kind)
    children = [asked(study) for _ in range(20)]
    assert np.mean([child["quality"] for child in children]) > 0.85
    assert len({child["size"] for child in children}) > 5


@both
def test_while_few_were_tried_or_none_counts_plans_are_random(kind: Sampler) -> None:
    few = study_of(*(trial(somewhere(seed)) for seed in range(STARTUP - 1)), kind=kind)
    bad = study_of(*(trial({**somewhere(seed), "quality": 0.1}) for seed in range(30)), kind=kind)
    for study in (few, bad):
        found = [asked(study)["quality"] for _ in range(60)]
        assert np.mean(found) == pytest.approx(0.5, abs=0.15)


@both
def test_what_keeps_its_constraints_is_tried_where_plans_like_it_do(kind: Sampler) -> None:
    tried = [somewhere(seed) for seed in range(40)]
    # of its own accord the search would go to small files
    study = study_of(*(trial(params, broken=float(params["size"] < 0.5)) for params in tried), kind=kind)
    assert np.mean([asked(study)["size"] >= 0.5 for _ in range(20)]) >= 0.65


def test_gp_proposes_what_is_better_than_everything_that_was_tried() -> None:
    near = [trial({"size": 0.01 * number, "quality": 0.7, "kind": "a"}) for number in range(20)]
    worse = [trial({"size": 0.9, "quality": 0.05 * number, "kind": "b"}) for number in range(14)]
    found = [asked(study_of(*near, *worse, seed=seed, kind=Gp(rounds=3))) for seed in range(10)]
    assert np.mean([each["quality"] for each in found]) > 0.8


def test_parents_keep_every_constraint_where_any_plan_does() -> None:
    fine = [trial({"size": 0.5, "quality": 0.7 + 0.01 * number, "kind": "a"}) for number in range(10)]
    broken = [trial({"size": 0.5, "quality": 0.95, "kind": "b"}, broken=1.0) for _ in range(10)]
    kept = Counter(asked(study_of(*fine, *broken, seed=seed))["kind"] for seed in range(20))
    assert kept["a"] > 15
    all_broken = [trial({**somewhere(seed), "quality": 0.9}, broken=1.0) for seed in range(20)]
    assert np.mean([asked(study_of(*all_broken, seed=seed))["quality"] for seed in range(10)]) > 0.75


def test_a_plan_counts_as_what_it_came_to_when_it_was_finished() -> None:
    tried = [trial({**somewhere(seed), "kind": "a"}, loss=0.01) for seed in range(12)]
    best = trial({"size": 0.1, "quality": 0.4, "kind": "b"}, loss=0.01)
    finished = trial({"size": 0.1, "quality": 0.4, "kind": "b"}, loss=-0.02, finishes=12)
    found = Counter(asked(study_of(*tried, best, finished, seed=seed))["kind"] for seed in range(20))
    assert found["b"] > 10
