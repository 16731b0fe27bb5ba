"""TPE over what a study has seen lately: the latest trials and the front, divided into good and bad once a plan.

Optuna's sampler divides all trials anew, and reads each of them, for every parameter of a plan, which at a thousand
trials is most of what asking costs (ADR 19).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import moocore
import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.trial import FrozenTrial, TrialState

from autocompress.search.learning_curve import vectors_of_files
from autocompress.search.objectives import Vector, boxes, crowding, front
from autocompress.search.parzen import mixture
from autocompress.search.samplers.sampler import known_space, trials_over
from autocompress.search.surrogate import Floats
from autocompress.search.variation import Distributions

LATEST, GOOD = 200, 0.1
"""Trials that TPE is fitted on, beside those of the front, and the share of them that is good."""
CANDIDATES, RECENT = 24, 25
"""Draws of which one is tried, and how many of the latest bad trials count in full, as in Optuna's sampler."""


class Told(NamedTuple):
    """By how much a trial broke constraints, and its parameters as Optuna stores them."""

    broke: float
    stored: dict[str, float]


class Seen(NamedTuple):
    """What trial `number` is proposed from: the good plans and the bad, (plans, parameters of `space`), as they are
    stored; NaN where a plan lacks the parameter."""

    number: int
    space: Distributions
    good: Floats
    bad: Floats


class DensityRatioSampler(BaseSampler):
    """Random for the first `startup` trials. `multivariate`: parameters that the same plans have are modelled together,
    else each alone. `together`: what others are trying counts as bad."""

    def __init__(self, *, multivariate: bool, startup: int, seed: int, together: bool) -> None:
        self._multivariate, self._startup, self._together = multivariate, startup, together
        self._draw, self._random = np.random.default_rng(seed), RandomSampler(seed=seed)
        self._told: dict[int, Told] = {}
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
        self._draw = np.random.default_rng()
        self._random.reseed_rng()

    def _seen(self, study: optuna.Study, trial: FrozenTrial) -> Seen:
        if self._last is None or self._last.number != trial.number:
            over = trials_over(study)
            self._told |= {each.number: told(each) for each in over if each.number not in self._told}
            good, bad = divided(over, {number: each.broke for number, each in self._told.items()})
            space = known_space([*good, *bad]) if len(over) >= self._startup else {}
            running = study._get_trials(deepcopy=False, states=(TrialState.RUNNING,), use_cache=True)
            beside = [told(each) for each in running if self._together and each.number != trial.number]
            here = [self._told[each.number] for each in good]
            there = [*(self._told[each.number] for each in bad), *beside]
            self._last = Seen(trial.number, space, _observed(here, space), _observed(there, space))
        return self._last


def told(trial: FrozenTrial) -> Told:
    """What one trial tells."""
    stored = {name: each.to_internal_repr(trial.params[name]) for name, each in trial.distributions.items()}
    return Told(sum(by for by in trial.constraints.values() if by > 0), stored)


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


def _observed(trials: Sequence[Told], space: Distributions) -> Floats:
    found = [[trial.stored.get(name, np.nan) for name in space] for trial in trials]
    return np.array(found, dtype=np.float64).reshape(len(trials), len(space))


def proposed(seen: Seen, space: Distributions, draw: np.random.Generator) -> dict[str, Any]:
    """Of `CANDIDATES` drawn as the good plans lie the one that is most likely among them and least among the bad; in
    the parameters of `space`, together."""
    places = [list(seen.space).index(name) for name in space]
    good, bad = (plans[~np.isnan(plans).any(axis=1)] for plans in (seen.good[:, places], seen.bad[:, places]))
    here, there = mixture(good, space, np.ones(len(good))), mixture(bad, space, recency_weights(len(bad)))
    drawn = here.draw(CANDIDATES, draw)
    chosen = drawn[np.argmax(here.log_density(drawn) - there.log_density(drawn))].tolist()
    return {name: each.to_external_repr(value) for (name, each), value in zip(space.items(), chosen, strict=True)}


def recency_weights(count: int) -> Floats:
    """Of the `RECENT` latest 1, of those before them less and less."""
    return np.concatenate([np.linspace(1 / max(count, 1), 1.0, max(0, count - RECENT)), np.ones(min(count, RECENT))])


def had_alike(seen: Seen) -> list[list[str]]:
    """Parameters that stand beside each other wherever a plan has any of them."""
    patterns = np.isnan(np.vstack([seen.good, seen.bad])).T
    groups: dict[bytes, list[str]] = {}
    for name, pattern in zip(seen.space, patterns, strict=True):
        groups.setdefault(pattern.tobytes(), []).append(name)
    return list(groups.values())
