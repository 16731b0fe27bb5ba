"""Plans that were shipped after a first training are finished where that promises most: on the last rung, from the
teacher's weights, as trials of their own.

So many plans are seen while the front is young, and what counts is trained on the whole log before the time is over.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import optuna
from optuna.trial import FrozenTrial, TrialState

from autocompress.search.learning_curve import (
    FINISHES,
    NOTHING,
    ONE_SHOT,
    Point,
    ShareLeft,
    at_the_end,
    reached,
    told_at,
    vectors_at,
    vectors_of_files,
)
from autocompress.search.objectives import RESOURCES, beyond, front, keeps, volume
from autocompress.search.trial_pruners.trial_pruner import Finishing

LATEST = 200
"""Plans that are looked at, of those that may be finished: a look takes a tenth of a millisecond."""
ATTEMPTS = 2
"""Trainings that may be broken off: a plan that killed two processes is not tried again."""
TWICE = "queued twice"
"""Where a trial stopped whose plan another one finishes."""


def queue_finishing(
    study: optuna.Study,
    last: str,
    rows: Sequence[int],
    finishing: Finishing,
    bounds: Mapping[str, float] = MappingProxyType({}),
) -> bool:
    """Queues the trial that finishes the most promising plan; False where none is, or where it would take finishing
    past its share: what is seen first is rarely what is worth a long training.

    `last` is the name of the last rung, `rows` are the training rows at each, `bounds` the constraints in force.
    """
    trials = study.get_trials(deepcopy=False)
    ours = [trial for trial in trials if FINISHES in trial.user_attrs and trial.user_attrs.get("stopped_at") != TWICE]
    if any(trial.state is TrialState.WAITING for trial in ours):
        return False
    over = [trial for trial in trials if trial.state in (TrialState.COMPLETE, TrialState.PRUNED)]
    complete = {trial.number: trial for trial in over if trial.state is TrialState.COMPLETE}
    begun = [trial.user_attrs[FINISHES] for trial in ours if trial.state is TrialState.RUNNING]
    under_way = sum(_seconds_to_finish(complete[number], rows) for number in begun if number in complete)
    spent = under_way + sum(_seconds(trial) for trial in over if FINISHES in trial.user_attrs)
    whole = under_way + sum(_seconds(trial) for trial in over)
    if spent > finishing.share_of_time * whole:
        return False
    # one that was broken off told nothing of its plan; one that failed by itself would fail again
    broken_off = [t.user_attrs[FINISHES] for t in ours if t.state is TrialState.FAIL and "error" not in t.user_attrs]
    tried = Counter(trial.user_attrs[FINISHES] for trial in ours)
    taken = {plan for plan, times in tried.items() if times > broken_off.count(plan) or times >= ATTEMPTS}
    open_ones = [trial for number, trial in complete.items() if number not in taken and reached(trial) != last]
    chosen = most_promising(open_ones, list(complete.values()), last, rows, finishing.quantile, bounds)
    if chosen is None:
        return False
    coming = _seconds_to_finish(chosen, rows)
    if spent + coming > finishing.share_of_time * (whole + coming):
        return False
    study.enqueue_trial(chosen.params, user_attrs={FINISHES: chosen.number})
    return True


def is_taken(plan: int, number: int, trials: Sequence[FrozenTrial]) -> bool:
    """Whether another worker queued the finishing of `plan` while trial `number` was queued for it: the first stays."""
    before = [trial for trial in trials if trial.number < number and trial.user_attrs.get(FINISHES) == plan]
    return any(trial.state is not TrialState.FAIL and trial.user_attrs.get("stopped_at") != TWICE for trial in before)


def most_promising(
    open_ones: Sequence[FrozenTrial],
    complete: Sequence[FrozenTrial],
    last: str,
    rows: Sequence[int],
    quantile: float,
    bounds: Mapping[str, float] = MappingProxyType({}),
) -> FrozenTrial | None:
    """The trial of `open_ones` whose finishing adds most hypervolume per second; None where none adds any.

    Where files keep every constraint they alone make the front, and a plan whose bytes or latency break one is left
    alone: training changes neither.
    """
    kept = [trial for trial in complete if keeps(trial, bounds)]
    open_ones = [trial for trial in open_ones if not kept or keeps(trial, bounds, RESOURCES)]
    if not open_ones:
        return None
    vectors = vectors_of_files(complete)
    of_the_front = {trial.number for trial in kept or complete}
    numbers = [number for number in vectors if number in of_the_front]
    members = {numbers[place]: vectors[numbers[place]] for place in front([vectors[each] for each in numbers])}
    reference = beyond(list(members.values()))
    learned = {
        rung: ShareLeft.learned(told_at(complete, rung, last)) for rung in {reached(trial) for trial in open_ones}
    }
    began, now = vectors_at(complete, ONE_SHOT), volume(list(members.values()), reference)
    best, highest = None, 0.0
    for trial in open_ones[-LATEST:]:
        mine = vectors[trial.number]
        if mine[0] <= NOTHING:
            continue
        share = learned[reached(trial)].at(quantile, Point(mine[0], began[trial.number][0]))
        others = [vector for number, vector in members.items() if number != trial.number]
        gain = volume([*others, at_the_end(mine, share)], reference) - now
        rate = gain / _seconds_to_finish(trial, rows)
        if rate > highest:
            best, highest = trial, rate
    return best


def _seconds_to_finish(trial: FrozenTrial, rows: Sequence[int]) -> float:
    """Its own seconds, with its training as long as the last rung takes."""
    trained: list[float] = [
        rung["training_seconds"] for rung in trial.user_attrs["rungs"] if "training_seconds" in rung
    ]
    whole = _seconds(trial)
    if not trained:
        return whole
    return whole - sum(trained) + sum(trained) * rows[-1] / sum(rows[: len(trained)])


def _seconds(trial: FrozenTrial) -> float:
    return trial.duration.total_seconds() if trial.duration else 0.0
