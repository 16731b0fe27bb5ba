"""What a rung says of the end: bytes and latency are final there, and of the lost quality a share will be left.

Which share is read from the trials that were trained to the end (Domhan et al., IJCAI 2015, fit curves to a single run;
here all runs of a study share one per rung).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from optuna.trial import FrozenTrial, TrialState

from autocompress.search.objectives import TIES, Vector

ENOUGH, NEAREST = 4, 8
"""Trials that must have shown a rung and the end before anything is said of it, and those that are asked."""
HALF = 0.5
"""Share of its loss that a plan is thought to keep while no trial tells."""
NOTHING = 2 * TIES[0]
"""A loss of which nothing that would count can be recovered."""
FINISHES = "finishes"
"""User attribute: the trial that this one finishes."""
RUNG = "rung "


def rung_name(place: int) -> str:
    """`rung 1` is the first."""
    return f"{RUNG}{place}"


def reached(trial: FrozenTrial) -> str:
    """The last rung that a trial has shown; nothing where it failed before the gate."""
    rungs = trial.user_attrs.get("rungs", [])
    return str(rungs[-1]["rung"]) if rungs else ""


def share_left(
    loss: float, at_rung: Mapping[int, Vector], ended: Mapping[int, Vector], quantile: float
) -> float | None:
    """The quantile of (loss at the end) / (loss at the rung), at most 1, of the `NEAREST` trials whose loss at the rung
    was most like `loss`, as a ratio: who has lost much keeps more of it. None where fewer than `ENOUGH` trials tell;
    those that lost no more than a tie at the rung say nothing."""
    told = [(seen[0], ended[number][0]) for number, seen in at_rung.items() if number in ended and seen[0] > TIES[0]]
    if len(told) < ENOUGH or loss <= 0:
        return None
    told.sort(key=lambda each: abs(math.log(each[0] / loss)))
    return float(np.quantile([min(1.0, max(0.0, end) / begin) for begin, end in told[:NEAREST]], quantile))


def at_the_end(seen: Vector, share: float) -> Vector:
    """What a trial that showed `seen` will come to, where `share` of its loss is left; a gain stays."""
    return (seen[0] * share if seen[0] > 0 else seen[0], seen[1], seen[2])


def vectors_at(trials: Sequence[FrozenTrial], rung: str) -> dict[int, Vector]:
    """What trials showed at a rung, by number."""
    return {
        trial.number: tuple(seen["vector"])
        for trial in trials
        for seen in trial.user_attrs.get("rungs", [])
        if seen["rung"] == rung
    }


def vectors_of_files(trials: Sequence[FrozenTrial]) -> dict[int, Vector]:
    """The complete trials' vectors, by number."""
    return {trial.number: tuple(trial.values) for trial in trials if trial.state is TrialState.COMPLETE}


def vectors_at_end(trials: Sequence[FrozenTrial], last: str) -> dict[int, Vector]:
    """Vectors of the plans that were trained up to the rung `last`, by the number of the trial that began them."""
    return {
        trial.user_attrs.get(FINISHES, trial.number): tuple(trial.values)
        for trial in trials
        if trial.state is TrialState.COMPLETE and reached(trial) == last
    }
