"""What a study's trials promise of plans that nobody has tried: the hypervolume that each is expected to add.

Plans count as what they are expected to come to (`learning_curve`), the files' constraints as the chance to keep them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import moocore
import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.trial import FrozenTrial, TrialState
from threadpoolctl import ThreadpoolController

from autocompress.search.learning_curve import FINISHES, expected
from autocompress.search.objectives import (
    REFERENCE_QUALITY,
    Vector,
    asked_for,
    beyond,
    front,
    vector,
    volumes_added,
)
from autocompress.search.samplers.sampler import TEACHER_BYTES, known_space, trials_over
from autocompress.search.surrogate import Floats, Surrogate, chances
from autocompress.search.variation import Distributions, Params

STARTUP = 6
"""Trials at random, recipes counted: fewer than TPE wants, because children are near what is known to be good."""
LATEST, DRAWS = 150, 4
"""Plans that the surrogate learns from, beside those of the front, and what it says of each plan that is asked for."""
SLOWEST = 0.5
"""Speed-up of the reference point: files that are a little slower than the teacher's still count."""


@dataclass(frozen=True)
class Outlook:
    """`parents` are the plans on the front, `weights` (parents,) how likely each is one: half by the volume that it
    alone holds of the front's, half by its whole box; `chance` that plans keep every constraint, where any broke one.
    """

    space: Distributions
    parents: Sequence[Params]
    weights: Floats
    members: Sequence[Vector]
    reference: Floats
    surrogate: Surrogate
    chance: Callable[[Sequence[Params]], Floats] | None

    def gains(self, plans: Sequence[Params], draw: np.random.Generator) -> Floats:
        """Volume that each of `plans` is expected to add, (plans,)."""
        drawn = np.array(self.surrogate.drawn(plans, DRAWS, draw))
        gains: Floats = (
            volumes_added(drawn.reshape(-1, 3), self.members, self.reference).reshape(-1, DRAWS).mean(axis=1)
        )
        return gains if self.chance is None else gains * self.chance(plans)


Propose = Callable[[Outlook, np.random.Generator], dict[str, Any]]
"""An outlook -> the parameters that are tried next."""


class OutlookSampler(BaseSampler):
    """Random for the first `STARTUP` trials, and while no file counts; then what `propose` makes of the outlook."""

    def __init__(self, propose: Propose, seed: int) -> None:
        self._propose = propose
        self._draw = np.random.default_rng(seed)
        self._random = RandomSampler(seed=seed)

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Every parameter that any trial had."""
        over = trials_over(study)
        return {} if len(over) < STARTUP or "fixed_params" in trial.system_attrs else known_space(over)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The proposal; what others are trying counts as found."""
        if not search_space:
            return {}
        # matrices of a hundred rows are decomposed faster where no threads wait for each other
        with _threads().limit(limits=1, user_api="blas"):
            outlook = outlook_of(study, search_space, self._draw)
            return {} if outlook is None else self._propose(outlook, self._draw)

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Random: a parameter that no trial had before."""
        return self._random.sample_independent(study, trial, param_name, param_distribution)

    def reseed_rng(self) -> None:
        """For a process beside others."""
        self._draw = np.random.default_rng()
        self._random.reseed_rng()


@functools.cache
def _threads() -> ThreadpoolController:
    return ThreadpoolController()


def outlook_of(study: optuna.Study, space: Distributions, draw: np.random.Generator) -> Outlook | None:
    """From all trials of a study; None while no file counts."""
    trials = study._get_trials(deepcopy=False, use_cache=True)
    known, plans = expected(trials), {each.number: each.params for each in trials}
    if not known:
        return None
    size = study.user_attrs.get(TEACHER_BYTES)
    reference = np.array(vector(REFERENCE_QUALITY, size, SLOWEST)) if size else beyond(list(known.values()))
    broken = _broken(trials)
    parents = _parents(known, broken, reference)
    if not parents:
        return None
    members = [known[number] for number in parents]
    weights = _weights(members, reference)
    learned = list(dict.fromkeys([*parents, *list(known)[-LATEST:]]))
    tried = [plans[number] for number in learned]
    surrogate = Surrogate(tried, [known[number] for number in learned], space)
    # the trial itself, and one that another worker has just been given, have no parameters yet
    beside = [each.params for each in trials if each.state is TrialState.RUNNING and each.params]
    members += [vectors[0] for vectors in surrogate.drawn(beside, 1, draw)]
    kept = [broken.get(number, 0.0) <= 0 for number in learned]
    chance = None if all(kept) else chances(tried, kept, space)
    return Outlook(space, [plans[each] for each in parents], weights, members, reference, surrogate, chance)


def _broken(trials: Sequence[FrozenTrial]) -> dict[int, float]:
    """How far each plan's file breaks what somebody asked for, by the number of the trial that began it."""
    found = {}
    for trial in trials:
        if trial.state is TrialState.COMPLETE:
            by = asked_for(trial.constraints).values()
            found[trial.user_attrs.get(FINISHES, trial.number)] = max([0.0, *by])
    return found


def _parents(known: Mapping[int, Vector], broken: Mapping[int, float], reference: Floats) -> list[int]:
    """The plans on the front of what counts; of those that keep every constraint where any does."""
    within = np.all(np.array(list(known.values())) < reference, axis=1)
    inside = [number for place, number in enumerate(known) if within[place] and number in broken]
    kept = [number for number in inside if broken[number] <= 0] or inside
    return [kept[place] for place in front([known[number] for number in kept])]


def _weights(members: Sequence[Vector], reference: Floats) -> Floats:
    own = moocore.hv_contributions(np.array(members), ref=reference, ignore_dominated=False)
    boxes = np.prod(reference - np.array(members), axis=1)
    both = own / max(own.sum(), 1e-12) + boxes / boxes.sum()
    found: Floats = both / both.sum()
    return found
