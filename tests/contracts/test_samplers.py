"""What every sampler and every trial pruner promises. A new one is held to it as soon as its file exists."""

from __future__ import annotations

import itertools
import math
import warnings
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from typing import cast

import optuna
import pytest
from optuna.trial import FrozenTrial, TrialState

from autocompress import family
from autocompress.compress.plan import Plan, Recovery
from autocompress.errors import UserError
from autocompress.models.dcnv2 import DCNv2Shape
from autocompress.search.bandit import BELIEFS, NONE, arms_of
from autocompress.search.learning_curve import Point
from autocompress.search.objectives import Vector
from autocompress.search.samplers import sampler as samplers
from autocompress.search.samplers.sampler import TEACHER_BYTES, Sampler, Setting
from autocompress.search.space import Range, Spaces, check_spaces, suggest
from autocompress.search.trial_pruners import trial_pruner as pruners
from autocompress.search.trial_pruners.trial_pruner import Others, TrialPruner, Verdict

TEACHER = DCNv2Shape(embedding_dim=16, cross_layers=2, cross_rank=8, tower=(32, 16))
SPACES: Spaces = {
    "student": {"embedding_dim": [4, 8, 16]},
    "rows": {"keep": [0.1, 0.3, 1.0]},
    "channels": {"when": [True, False], "ratio": [0.3, 0.6]},
    "fields": {"when": [True, False], "keep": [0.5, 0.8]},
    "quantize_tables": {"bits": [4, 8]},
}
TEACHER_SIZE = 1_000_000
SAMPLERS = family.members(samplers.PACKAGE)
PRUNERS = family.members(pruners.PACKAGE)
BANDITS = [name for name, kind in SAMPLERS.items() if hasattr(kind, "values")]
every_sampler = pytest.mark.parametrize("name", SAMPLERS)
every_bandit = pytest.mark.parametrize("name", BANDITS)
every_pruner = pytest.mark.parametrize("name", PRUNERS)


@pytest.fixture(autouse=True)
def _quiet() -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)


def new_study(name: str, seed: int = 0, spaces: Spaces = SPACES) -> optuna.Study:
    made = cast(Sampler, family.parse(samplers.PACKAGE, {"kind": name}))
    study = optuna.create_study(
        directions=["minimize"] * 3, sampler=made.build(Setting(check_spaces(spaces), seed, 60, None))
    )
    study.set_user_attr(TEACHER_BYTES, TEACHER_SIZE)
    return study


def proposed(study: optuna.Study, trial: optuna.Trial, spaces: Spaces = SPACES) -> Plan:
    return suggest(trial, spaces, TEACHER, [Recovery(), Recovery()])


def vector_of(plan: Plan) -> Vector:
    """A toy: bytes by what is kept; pruning channels costs hardly any quality, dropping fields much."""
    keeps = {each.kind: each.model_dump() for each in plan.transforms()}
    rows, bits = keeps["rows"]["keep"], keeps["quantize_tables"]["bits"]
    dim = plan.student.embedding_dim
    assert isinstance(dim, int)
    size = TEACHER_SIZE * rows * bits / 32 * dim / 16
    quality = -0.002 * (1 - rows) - 0.004 * (1 - dim / 16) - (0.03 if "fields" in keeps else 0.0)
    faster = 1.0 + ("channels" in keeps)
    return (-quality, math.log10(size), -math.log10(faster))


def run(study: optuna.Study, trials: int) -> list[Plan]:
    """Every fifth trial is stopped at a rung."""
    plans = []
    for _ in range(trials):
        trial = study.ask()
        plans.append(proposed(study, trial))
        if trial.number % 5 == 4:
            trial.set_constraint("stopped", 1.0)
            study.tell(trial, state=TrialState.PRUNED)
        else:
            study.tell(trial, vector_of(plans[-1]))
    return plans


@every_sampler
def test_its_plans_are_those_of_the_space_and_not_all_alike(name: str) -> None:
    plans = run(new_study(name), 30)
    assert all(plan.transforms()[0].model_dump()["keep"] in (0.1, 0.3, 1.0) for plan in plans)
    assert len({plan.digest for plan in plans}) > 5


@every_sampler
def test_equal_seeds_propose_alike_and_other_seeds_do_not(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # a bandit's reward is by the second: it proposes alike where trials take equally long
    monkeypatch.setattr(FrozenTrial, "duration", property(lambda trial: timedelta(seconds=1)))
    first, again, other = (run(new_study(name, seed), 15) for seed in (0, 0, 1))
    assert [plan.digest for plan in first] == [plan.digest for plan in again]
    assert [plan.digest for plan in first] != [plan.digest for plan in other]


@every_sampler
def test_a_recipe_is_tried_as_it_was_queued_and_trials_that_failed_do_no_harm(name: str) -> None:
    study = new_study(name)
    recipe = {"rows.keep": 0.3, "channels.when": True, "channels.ratio": 0.6, "fields.when": False}
    study.enqueue_trial(recipe)
    trial = study.ask()
    proposed(study, trial)
    assert {key: trial.params[key] for key in recipe} == recipe
    study.tell(trial, state=TrialState.FAIL)
    assert len(run(study, 14)) == 14


@every_sampler
def test_another_process_goes_on_with_the_same_study(name: str) -> None:
    study = new_study(name)
    run(study, 15)
    study.sampler = new_study(name, seed=7).sampler
    assert len({plan.digest for plan in run(study, 10)}) > 1


def test_a_grid_tries_every_plan_once_and_ends() -> None:
    study = new_study("grid")
    study.optimize(lambda trial: vector_of(proposed(study, trial)), n_trials=1_000)
    # of channels and fields: neither, one of two values each, both
    assert len(study.trials) == len({str(trial.params) for trial in study.trials}) == 3 * 3 * 3 * 3 * 2


def test_a_grid_over_a_range_without_a_step_is_refused_with_one() -> None:
    with pytest.raises(UserError, match=r"search_spaces\.rows\.keep is a range without a step.*step 0\.2'"):
        new_study("grid", spaces={**SPACES, "rows": {"keep": Range(low=0.2, high=1.0)}})


@every_bandit
def test_a_bandit_comes_to_pull_the_arm_that_adds_most(name: str) -> None:
    study = new_study(name)
    run(study, 60)
    arms = Counter(trial.user_attrs[BELIEFS]["arm"] for trial in study.trials[10:])
    assert set(arms) <= {"channels", "fields", NONE}
    assert arms["fields"] < max(arms.values())
    for trial in study.trials:
        arm = trial.user_attrs[BELIEFS]["arm"]
        assert trial.params.get(f"{arm}.when", True) is True
        if arm == NONE:
            assert not trial.params["channels.when"]
            assert not trial.params["fields.when"]


@every_bandit
def test_without_a_method_that_may_be_left_out_a_bandit_is_refused(name: str) -> None:
    with pytest.raises(UserError, match="chooses among methods that may be left out"):
        new_study(name, spaces={"rows": {"keep": [0.1, 1.0]}})


def test_families_that_exclude_each_other_are_switched_off_by_an_arm() -> None:
    spaces: Spaces = {
        "product_quantization": {"when": [True, False], "piece": 4.0},
        "tensor_train": {"when": [True, False], "rank": 8},
    }
    assert arms_of(check_spaces(spaces)) == ["product_quantization", "tensor_train", NONE]
    study = new_study("ucb1", spaces=spaces)
    for _ in range(12):
        trial = study.ask()
        proposed(study, trial, spaces)
        arm = trial.user_attrs[BELIEFS]["arm"] if trial.user_attrs else study.trials[-1].user_attrs[BELIEFS]["arm"]
        on = [kind for kind in spaces if trial.params.get(f"{kind}.when")]
        assert on == ([] if arm == NONE else [arm])
        study.tell(trial, (0.0, 5.0, 0.0))


def pruner(name: str) -> TrialPruner:
    return cast(TrialPruner, family.parse(pruners.PACKAGE, {"kind": name}))


def judged(
    made: TrialPruner,
    number: int,
    level: int,
    mine: Vector,
    at_rung: Mapping[int, Vector],
    ended: Mapping[int, Vector] | None = None,
) -> Verdict:
    """Of three rungs, and `eta` 2; training has kept a half of what was lost at once."""
    there = ended or {}
    told = [(Point(at_rung[n][0], 2 * at_rung[n][0]), end[0]) for n, end in there.items() if n in at_rung]
    return made.judge(number, level, 3, mine, Others(at_rung, told, list(there.values()), 2 * mine[0]), 2)


@every_pruner
def test_the_best_of_a_rung_always_goes_on(name: str) -> None:
    others = {number: (0.01, 6.0, 0.0) for number in range(1, 40)}
    for number, level in itertools.product((0, 1, 2), (0, 1)):
        assert judged(pruner(name), number, level, (0.0, 5.0, -0.5), others, others) != "stop"


@every_pruner
def test_nobody_is_stopped_before_there_is_anybody_to_compare_with(name: str) -> None:
    best: dict[int, Vector] = {1: (0.0, 5.0, -0.5)}
    assert judged(pruner(name), 5, 1, (0.02, 6.0, 0.0), best, best) != "stop"


def test_halving_stops_the_worst_and_a_late_bracket_only_at_its_own_rung() -> None:
    others = {number: (0.001 * number, 5.0, 0.0) for number in range(60)}
    worst = (0.5, 7.0, 0.0)
    assert judged(pruner("asha"), 61, 0, worst, others) == "stop"
    assert judged(pruner("none"), 61, 0, worst, others) != "stop"
    bands = pruner("hyperband")
    assert [judged(bands, 60 + bracket, 1, worst, others) == "stop" for bracket in (0, 1, 2)] == [True, True, False]
    assert [judged(bands, 60 + bracket, 0, worst, others) == "stop" for bracket in (0, 1, 2)] == [True, False, False]


def test_extrapolation_stops_who_even_with_luck_stays_behind_the_front_and_ships_who_has_nothing_to_recover() -> None:
    made = pruner("extrapolation")
    at_rung: dict[int, Vector] = {number: (0.010, 5.0 - 0.1 * number, -0.5) for number in range(5)}
    halved: dict[int, Vector] = {number: (0.005, 5.0 - 0.1 * number, -0.5) for number in range(5)}
    larger_and_no_better, smaller = (0.012, 5.1, -0.5), (0.012, 4.5, -0.5)
    assert judged(made, 9, 1, larger_and_no_better, at_rung, halved) == "stop"
    assert judged(made, 9, 1, smaller, at_rung, halved) == "go on"
    assert judged(made, 9, 1, (0.08, 4.5, -0.5), at_rung, halved) == "stop"
    assert judged(made, 9, 1, (0.0001, 6.0, 0.0), at_rung, halved) == "ship"
    assert judged(made, 9, 1, larger_and_no_better, {}, halved) == "go on"
    assert judged(made, 9, 2, smaller, at_rung, halved) == "ship", "another trial finishes it"
    assert judged(made, 9, 2, larger_and_no_better, at_rung, halved) == "stop"
    without = cast(TrialPruner, family.parse(pruners.PACKAGE, {"kind": "extrapolation", "finishing": 0}))
    assert judged(without, 9, 2, smaller, at_rung, halved) == "go on"


@pytest.mark.parametrize("ties", ["crowding", "epsilon_net"])
def test_of_equal_rank_the_lonely_go_on(ties: str) -> None:
    made = cast(TrialPruner, family.parse(pruners.PACKAGE, {"kind": "asha", "ties": ties}))
    crowd = {number: (0.010 + 0.0004 * number, 5.0 - 0.01 * number, 0.0) for number in range(12)}
    lonely, crowded = (0.0, 6.0, 0.0), (0.0142, 4.895, 0.0)
    assert judged(made, 20, 0, lonely, crowd) == "go on"
    assert made.judge(21, 0, 3, crowded, Others({**crowd, 20: lonely}, [], [], 0.0), 3) == "stop"
