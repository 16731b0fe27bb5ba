"""Bandits over method families, as an Optuna sampler: an arm is a family that the next plan must use, or none of them.

What an arm is worth is the hypervolume that its trials added per second. The other parameters come from TPE. Nothing
is remembered but what the study stores, so that a resumed study, or another worker, believes the same.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, PartialFixedSampler
from optuna.trial import FrozenTrial

from autocompress import family
from autocompress.compress.plan import PACKAGE
from autocompress.errors import UserError
from autocompress.search.learning_curve import vectors_of_files
from autocompress.search.objectives import Vector, front, hypervolume, keeps
from autocompress.search.samplers.sampler import TEACHER_BYTES, Setting, trials_over
from autocompress.search.samplers.tpe import Tpe
from autocompress.search.space import WHEN, Spaces, legal_order

NONE, BELIEFS = "none", "bandit"
LATEST = 100
"""Pulls that count: what an arm still adds falls while the front grows (Garivier and Moulines, ALT 2011)."""
Floats = NDArray[np.float64]


class Pull(NamedTuple):
    """An arm, by number, what it was worth, 0 to 1, and what was known when it was chosen."""

    arm: int
    reward: float
    context: Floats


class Policy(Protocol):
    """How arms are valued: larger is chosen, and of equals any."""

    def values(self, pulls: Sequence[Pull], arms: int, context: Floats, draw: np.random.Generator) -> Floats:
        """(arms,) of what is known from `pulls`; infinite for an arm that is to be tried first."""


def arms_of(spaces: Spaces) -> list[str]:
    """Families that a plan may do without, in the order of the space, and `none`.

    `UserError` where there is no such family.
    """
    found = [
        name
        for name, space in spaces.items()
        if name in family.members(PACKAGE) and space.get(WHEN) in ([True, False], [False, True])
    ]
    if not found:
        raise UserError(
            "study.sampler: a bandit chooses among methods that may be left out, and no space has "
            f"{WHEN}: [true, false]"
        )
    return [*found, NONE]


def fixed_by(arm: str, arms: Sequence[str]) -> dict[str, bool]:
    """The switches that an arm decides: its own, and those of families that cannot stand beside it."""
    others = [each for each in arms if each not in (arm, NONE)]
    if arm == NONE:
        return {f"{other}.{WHEN}": False for other in others}
    excluded = {f"{other}.{WHEN}": False for other in others if legal_order([arm, other]) is None}
    return {f"{arm}.{WHEN}": True, **excluded}


class BanditSampler(BaseSampler):
    """Chooses an arm when a trial is asked for, and writes what it believed beside it (`bandit`, a user attribute)."""

    def __init__(self, policy: Policy, setting: Setting) -> None:
        """`UserError` where the space has no arms."""
        self._policy, self._setting = policy, setting
        self._arms = arms_of(setting.spaces)
        self._inner = Tpe().build(setting)
        self._draw = np.random.default_rng(setting.seed)
        self._fixed: BaseSampler = self._inner
        self._keeping: dict[int, bool] = {}

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """What TPE models, without what the arm decides."""
        trials = trials_over(study)
        facts = study.user_attrs
        files = vectors_of_files(trials)
        new = [each for each in trials if each.number in files and each.number not in self._keeping]
        self._keeping |= {each.number: keeps(each) for each in new}
        kept = {number: vector for number, vector in files.items() if self._keeping[number]}
        left = share_left(self._setting, len(trials), float(facts.get("seconds", 0.0)))
        context = context_of(list(files.values()), len(kept), left)
        pulls = pulls_of(trials, kept or files, self._arms, facts.get(TEACHER_BYTES))
        values = self._policy.values(pulls, len(self._arms), context, self._draw)
        queued = trial.system_attrs.get("fixed_params")
        arm = self._arms[_largest(values, self._draw)] if queued is None else _arm_in(queued, self._arms)
        shown = {name: float(value) for name, value in zip(self._arms, values, strict=True) if np.isfinite(value)}
        study._storage.set_trial_user_attr(
            trial._trial_id, BELIEFS, {"arm": arm, "values": shown, "context": context.round(4).tolist()}
        )
        self._fixed = PartialFixedSampler(fixed_by(arm, self._arms), self._inner)
        return self._fixed.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """TPE's."""
        return self._fixed.sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """What the arm decides, and TPE's."""
        return self._fixed.sample_independent(study, trial, param_name, param_distribution)

    def reseed_rng(self) -> None:
        """For a process beside others."""
        self._inner.reseed_rng()
        self._draw = np.random.default_rng()


def pulls_of(
    trials: Sequence[FrozenTrial], files: Mapping[int, Vector], arms: Sequence[str], bytes_of_teacher: int | None
) -> list[Pull]:
    """The `LATEST` pulls of finished trials, in order; those whose plan came out without their arm's family are left
    out. `files`: vectors of those that count, by number: that keep every constraint, where any does.

    A trial that was stopped, or whose file does not count, added nothing, and cost its seconds.
    """
    pulled = [*itertools.islice((trial for trial in reversed(trials) if _pulled(trial, arms)), LATEST)][::-1]
    added = _added(files, pulled[0].number, bytes_of_teacher) if pulled and bytes_of_teacher else {}
    lasted = [trial.duration.total_seconds() if trial.duration else 0.0 for trial in pulled]
    rates = [added.get(trial.number, 0.0) / max(mine, 1e-3) for trial, mine in zip(pulled, lasted, strict=True)]
    # the first file adds more than all that come later: as a share of the best pull they would all be worth nothing
    some = [rate for rate in rates if rate > 0]
    usual = float(np.median(some)) if some else 1.0
    beliefs = [trial.user_attrs[BELIEFS] for trial in pulled]
    return [
        Pull(arms.index(each["arm"]), min(1.0, rate / usual), np.asarray(each["context"], dtype=np.float64))
        for each, rate in zip(beliefs, rates, strict=True)
    ]


def _pulled(trial: FrozenTrial, arms: Sequence[str]) -> bool:
    believed = trial.user_attrs.get(BELIEFS)
    return believed is not None and _arm_in(trial.params, arms, believed["arm"]) == believed["arm"]


def _added(files: Mapping[int, Vector], first: int, bytes_of_teacher: int) -> dict[int, float]:
    """Volume that files, by number, added to that of all before them; of those from `first` on that added any."""
    seen = _on_front([vector for number, vector in files.items() if number < first])
    later = [number for number in files if number >= first]
    points = np.array([*seen, *(files[number] for number in later)]).reshape(-1, 3)
    # most add nothing, and that somebody before them is as good is seen sooner than a volume
    as_good = np.triu(np.logical_and.reduce([each[:, None] <= each for each in points.T]), 1)
    held, found = hypervolume(seen, bytes_of_teacher), dict[int, float]()
    for place in np.flatnonzero(~as_good.any(axis=0)[len(seen) :]).tolist():
        seen.append(files[later[place]])
        now = hypervolume(seen, bytes_of_teacher)
        found[later[place]], held = now - held, now
    return found


def _on_front(vectors: Sequence[Vector]) -> list[Vector]:
    return [vectors[place] for place in front(vectors)]


def context_of(files: Sequence[Vector], keep: int, left: float) -> Floats:
    """(6,): 1; where along the bytes of the front its widest gap lies (small, middle or large files, as a share of the
    whole); the share of `files` that `keep` every constraint; the share of the budget that is `left`."""
    sizes = np.sort([size for _, size, _ in _on_front(files)])
    gaps = np.zeros(3)
    if len(sizes) > 1 and sizes[-1] > sizes[0]:
        widest = int(np.argmax(np.diff(sizes)))
        middle = (sizes[widest] + sizes[widest + 1]) / 2
        place = min(2, int(3 * (middle - sizes[0]) / (sizes[-1] - sizes[0])))
        gaps[place] = (sizes[widest + 1] - sizes[widest]) / (sizes[-1] - sizes[0])
    return np.array([1.0, *gaps, keep / len(files) if files else 1.0, left])


def share_left(setting: Setting, trials: int, seconds: float) -> float:
    """Of the trials or the minutes that a study may take, whichever is spent sooner; 1 where neither is limited."""
    by_trials = trials / setting.n_trials if setting.n_trials is not None else 0.0
    by_minutes = seconds / (60 * setting.minutes) if setting.minutes is not None else 0.0
    return max(0.0, 1.0 - max(by_trials, by_minutes))


def means_and_counts(pulls: Sequence[Pull], arms: int) -> tuple[Floats, Floats]:
    """Of each arm (arms,), 0 where it was never pulled."""
    chosen = np.array([pull.arm for pull in pulls], dtype=np.int64)
    counts = np.bincount(chosen, minlength=arms).astype(np.float64)
    sums = np.bincount(chosen, weights=[pull.reward for pull in pulls], minlength=arms)
    return sums / np.maximum(counts, 1.0), counts


def _largest(values: Floats, draw: np.random.Generator) -> int:
    return int(draw.choice(np.flatnonzero(values == values.max())))


def _arm_in(params: Mapping[str, Any], arms: Sequence[str], wanted: str | None = None) -> str:
    """The arm that a plan's parameters use: `wanted` where they do, else the first, else `none`."""
    used = [arm for arm in arms if params.get(f"{arm}.{WHEN}") is True]
    return wanted if wanted in used else next(iter(used), NONE)
