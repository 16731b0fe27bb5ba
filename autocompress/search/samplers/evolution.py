"""Evolution with a surrogate's preselection: of several children of the front, the one that promises most volume.

Parents are drawn by the hypervolume that they hold, alone and beside the others (Beume et al., "SMS-EMOA", EJOR 2007);
children are crossed and mutated; a Gaussian process for each objective tells which is worth a trial (Jin, "Surrogate-
assisted evolutionary computation", 2011). Plans count as what they are expected to come to (`learning_curve`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.trial import FrozenTrial, TrialState
from pydantic import Field as Limits

from autocompress.schema import Frozen
from autocompress.search.learning_curve import FINISHES, expected
from autocompress.search.objectives import REFERENCE_QUALITY, Vector, asked_for, beyond, front, vector, volume
from autocompress.search.samplers.sampler import TEACHER_BYTES, Setting
from autocompress.search.surrogate import Floats, Surrogate, chances
from autocompress.search.variation import active, crossed, mutated

STARTUP = 6
"""Trials at random, recipes counted: fewer than TPE wants, because children are near what is known to be good."""
CROSSED, RATE = 0.5, 0.3
LATEST, DRAWS = 150, 4
"""Plans that the surrogate learns from, beside those of the front, and what it says of each child."""
SLOWEST = 0.5
"""Speed-up of the reference point: files that are a little slower than the teacher's still count."""


class Evolution(Frozen):
    """Of `children` one is tried."""

    kind: Literal["evolution"] = "evolution"
    children: int = Limits(16, ge=1)

    def build(self, setting: Setting) -> BaseSampler:
        """Remembers nothing but what the study stores."""
        return EvolutionSampler(self.children, setting.seed)


class EvolutionSampler(BaseSampler):
    """Random for the first `STARTUP` trials, and while no file counts."""

    def __init__(self, children: int, seed: int) -> None:
        self._children = children
        self._draw = np.random.default_rng(seed)
        self._random = RandomSampler(seed=seed)

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Every parameter that any trial had."""
        over = study._get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED), use_cache=True)
        if len(over) < STARTUP or "fixed_params" in trial.system_attrs:
            return {}
        return {name: each for other in over for name, each in other.distributions.items() if not each.single()}

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The most promising child; what others are trying counts as found."""
        if not search_space:
            return {}
        trials = study._get_trials(deepcopy=False, use_cache=False)
        known, plans = expected(trials), {each.number: each.params for each in trials}
        if not known:
            return {}
        size = study.user_attrs.get(TEACHER_BYTES)
        reference = np.array(vector(REFERENCE_QUALITY, size, SLOWEST)) if size else beyond(list(known.values()))
        broken = _broken(trials)
        parents = _parents(known, broken, reference)
        if not parents:
            return {}
        members = [known[number] for number in parents]
        weights = _weights(members, reference)

        def child() -> dict[str, Any]:
            one, other = (plans[parents[place]] for place in self._draw.choice(len(parents), size=2, p=weights))
            mixed = crossed(one, other, self._draw) if self._draw.random() < CROSSED else one
            return active(mutated(mixed, search_space, self._draw, RATE))

        children = [child() for _ in range(self._children)]
        learned = list(dict.fromkeys([*parents, *list(known)[-LATEST:]]))
        tried = [plans[number] for number in learned]
        surrogate = Surrogate(tried, [known[number] for number in learned], search_space)
        # the trial itself, and one that another worker has just been given, have no parameters yet
        beside = [each.params for each in trials if each.state is TrialState.RUNNING and each.params]
        members += [vectors[0] for vectors in surrogate.drawn(beside, 1, self._draw)]
        now = volume(members, reference)
        drawn = surrogate.drawn(children, DRAWS, self._draw)
        gains = np.array([np.mean([volume([*members, each], reference) for each in some]) - now for some in drawn])
        if any(broken.values()):
            gains *= chances(tried, [broken.get(number, 0.0) <= 0 for number in learned], children, search_space)
        return children[int(np.argmax(gains))]

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Random: a parameter that no trial had before."""
        return self._random.sample_independent(study, trial, param_name, param_distribution)

    def reseed_rng(self) -> None:
        """For a process beside others."""
        self._draw = np.random.default_rng()
        self._random.reseed_rng()


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
    inside = [number for number in known if number in broken and all(np.array(known[number]) < reference)]
    kept = [number for number in inside if broken[number] <= 0] or inside
    return [kept[place] for place in front([known[number] for number in kept])]


def _weights(members: Sequence[Vector], reference: Floats) -> Floats:
    """How likely each is a parent: half by the volume that it alone holds of the front's, half by its whole box."""
    whole = volume(members, reference)
    others = [[*members[:place], *members[place + 1 :]] for place in range(len(members))]
    own = np.array([whole - volume(each, reference) for each in others])
    boxes = np.prod(reference - np.array(members), axis=1)
    both = own / max(own.sum(), 1e-12) + boxes / boxes.sum()
    found: Floats = both / both.sum()
    return found
