"""TPE over what a study has seen lately: the latest trials and the front, divided into good and bad once a plan.

The estimators are Optuna's. Its sampler would divide all trials anew, and read each of them, for every parameter of a
plan, which at a thousand trials is most of what asking costs (ADR 19).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import moocore
import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.samplers._tpe.parzen_estimator import _ParzenEstimator, _ParzenEstimatorParameters
from optuna.trial import FrozenTrial, TrialState

from autocompress.search.learning_curve import vectors_of_files
from autocompress.search.objectives import Vector, boxes, crowding, front
from autocompress.search.samplers.sampler import known_space, trials_over
from autocompress.search.surrogate import Floats
from autocompress.search.variation import Distributions

LATEST, GOOD = 200, 0.1
"""Trials that TPE is fitted on, beside those of the front, and the share of them that is good."""
CANDIDATES, RECENT = 24, 25
"""Draws of which one is tried, and how many of the latest bad trials count in full, as in Optuna's sampler."""


class Seen(NamedTuple):
    """What trial `number` is proposed from: the good plans and the bad, (plans, parameters of `space`)."""

    number: int
    space: Distributions
    good: Floats
    bad: Floats


class ParzenSampler(BaseSampler):
    """Random for the first `startup` trials. `multivariate`: parameters that the same plans have are modelled together,
    else each alone. `together`: what others are trying counts as bad."""

    def __init__(self, *, multivariate: bool, startup: int, seed: int, together: bool) -> None:
        self._multivariate, self._startup, self._together = multivariate, startup, together
        self._draw, self._random = np.random.RandomState(seed), RandomSampler(seed=seed)
        self._broken: dict[int, float] = {}
        self._last: Seen | None = None

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Every parameter that one of these trials had, where they are modelled together."""
        return dict(self._seen(study, trial).space) if self._multivariate else {}

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The proposal, where parameters are modelled together."""
        if not search_space:
            return {}
        seen = self._seen(study, trial)
        found: dict[str, Any] = {}
        for names in had_alike(seen):
            if asked := {name: search_space[name] for name in names if name in search_space}:
                found |= proposed(seen, asked, self._draw)
        return found

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """The proposal of a parameter alone; random where none of these trials had it."""
        seen = self._seen(study, trial)
        if param_name not in seen.space:
            return self._random.sample_independent(study, trial, param_name, param_distribution)
        return proposed(seen, {param_name: param_distribution}, self._draw)[param_name]

    def reseed_rng(self) -> None:
        """For a process beside others."""
        self._draw = np.random.RandomState()
        self._random.reseed_rng()

    def _seen(self, study: optuna.Study, trial: FrozenTrial) -> Seen:
        if self._last is None or self._last.number != trial.number:
            over = trials_over(study)
            self._broken |= {each.number: _breaks(each) for each in over if each.number not in self._broken}
            good, bad = divided(over, self._broken)
            space = known_space([*good, *bad]) if len(over) >= self._startup else {}
            running = study._get_trials(deepcopy=False, states=(TrialState.RUNNING,), use_cache=True)
            beside = [each for each in running if self._together and each.number != trial.number]
            self._last = Seen(trial.number, space, observed(good, space), observed([*bad, *beside], space))
        return self._last


def _breaks(trial: FrozenTrial) -> float:
    return sum(by for by in trial.constraints.values() if by > 0)


def divided(over: Sequence[FrozenTrial], broken: Mapping[int, float]) -> tuple[list[FrozenTrial], list[FrozenTrial]]:
    """The good and the bad, in order: of the latest trials that are over and of those of the front.

    `broken`: by how much each broke constraints. The front is that of the files that broke none, where any did not.
    Good is a tenth, rounded up (Ozaki et al., GECCO 2020): files that broke nothing by non-dominated rank, and of the
    rank that is cut those with most room; then what was stopped or broke a constraint, by how much.
    """
    files = vectors_of_files(over)
    kept = {number: vector for number, vector in files.items() if not broken[number]}
    numbers, vectors = list(kept or files), list((kept or files).values())
    counting = {trial.number for trial in over[-LATEST:]} | {numbers[place] for place in front(vectors)}
    several = math.ceil(GOOD * len(counting))
    good = best({number: kept[number] for number in counting & kept.keys()}, several)
    good |= set(sorted(counting - kept.keys(), key=lambda number: (broken[number], number))[: several - len(good)])
    bad = counting - good
    return [trial for trial in over if trial.number in good], [trial for trial in over if trial.number in bad]


def best(files: Mapping[int, Vector], several: int) -> set[int]:
    """Numbers of so many files, or of all: by non-dominated rank, and of the rank that is cut those with most room."""
    if several >= len(files):
        return set(files)
    numbers = np.array(sorted(files))
    grid = boxes([files[number] for number in numbers.tolist()])
    ranks, room = moocore.pareto_rank(grid), np.zeros(len(files))
    cut = ranks == np.sort(ranks)[several - 1]
    room[cut] = crowding(grid[cut])
    return set(numbers[np.lexsort((-room, ranks))[:several]].tolist())


def observed(trials: Sequence[FrozenTrial], space: Distributions) -> Floats:
    """(trials, parameters) as Optuna stores them; NaN where a plan lacks the parameter."""
    found = [
        [each.to_internal_repr(plan[name]) if name in plan else np.nan for name, each in space.items()]
        for plan in (trial.params for trial in trials)
    ]
    return np.array(found, dtype=np.float64).reshape(len(trials), len(space))


def proposed(seen: Seen, space: Distributions, draw: np.random.RandomState) -> dict[str, Any]:
    """Of `CANDIDATES` drawn as the good plans lie the one that is most likely among them and least among the bad; in
    the parameters of `space`, together."""
    places = [list(seen.space).index(name) for name in space]
    here, there = _estimator(seen.good[:, places], space, np.ones), _estimator(seen.bad[:, places], space, _fading)
    drawn = here.sample(draw, CANDIDATES)
    chosen = int(np.argmax(here.log_pdf(drawn) - there.log_pdf(drawn)))
    return {name: each.to_external_repr(drawn[name][chosen].item()) for name, each in space.items()}


def _estimator(plans: Floats, space: Distributions, weights: Callable[[int], Floats]) -> _ParzenEstimator:
    having = plans[~np.isnan(plans).any(axis=1)]
    settings = _ParzenEstimatorParameters(
        prior_weight=1.0, consider_magic_clip=True, consider_endpoints=False, weights=weights, multivariate=True
    )
    return _ParzenEstimator(dict(zip(space, having.T, strict=True)), dict(space), settings)


def _fading(count: int) -> Floats:
    """Of the `RECENT` latest 1, of those before them less and less."""
    return np.concatenate([np.linspace(1 / max(count, 1), 1.0, max(0, count - RECENT)), np.ones(min(count, RECENT))])


def had_alike(seen: Seen) -> list[list[str]]:
    """Parameters that stand beside each other wherever a plan has any of them."""
    patterns = np.isnan(np.vstack([seen.good, seen.bad])).T
    groups: dict[bytes, list[str]] = {}
    for name, pattern in zip(seen.space, patterns, strict=True):
        groups.setdefault(pattern.tobytes(), []).append(name)
    return list(groups.values())
