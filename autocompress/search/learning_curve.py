"""What a rung says of the end: bytes and latency are final there, and of the lost quality a share will be left.

Which share is read from the trials that were trained to the end (Domhan et al., IJCAI 2015, fit curves to a single run;
here all runs of a study share one per rung).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from optuna.trial import FrozenTrial, TrialState

from autocompress.search.objectives import TIES, Vector

ENOUGH, NEAREST = 4, 8
"""Trials that must have shown a rung and the end before anything is said of it, and those that are asked."""
NOTHING = 2 * TIES[0]
"""A loss of which nothing that would count can be recovered."""
FINISHES = "finishes"
"""User attribute: the trial that this one finishes."""
RUNG, ONE_SHOT = "rung ", "one-shot"


def rung_name(place: int) -> str:
    """`rung 1` is the first."""
    return f"{RUNG}{place}"


def reached(trial: FrozenTrial) -> str:
    """The last rung that a trial has shown; nothing where it failed before the gate."""
    rungs = trial.user_attrs.get("rungs", [])
    return str(rungs[-1]["rung"]) if rungs else ""


class Point(NamedTuple):
    """A loss at a rung, and the one-shot loss that it began with."""

    loss: float
    began: float

    @property
    def kept(self) -> float:
        """Share of the one-shot loss that is still there, at most 1."""
        return min(1.0, max(self.loss, TIES[0]) / self.began) if self.began > TIES[0] else 1.0


def share_left(mine: Point, told: Sequence[tuple[Point, float]], quantile: float) -> float:
    """The share of its loss that a trial will keep to the end: the quantile over the `NEAREST` trials that were most
    like it at the rung, in what they had lost and in what training had kept of it.

    `told` holds what trials showed at the rung, and their loss at the end. While fewer than `ENOUGH` tell, training is
    thought to keep the same share once more.
    """
    if len(told) < ENOUGH or mine.loss <= 0:
        return mine.kept

    def unlike(each: tuple[Point, float]) -> float:
        return abs(math.log(each[0].loss / mine.loss)) + abs(math.log(each[0].kept / mine.kept))

    nearest = sorted(told, key=unlike)[:NEAREST]
    return float(np.quantile([min(1.0, max(0.0, end) / point.loss) for point, end in nearest], quantile))


def told_at(trials: Sequence[FrozenTrial], rung: str, last: str) -> list[tuple[Point, float]]:
    """Of the plans that were trained up to the rung `last`: what they showed at `rung`, and what they lost at the end.
    Those that lost no more than a tie at the rung say nothing."""
    ended, began = vectors_at_end(trials, last), vectors_at(trials, ONE_SHOT)
    return [
        (Point(seen[0], began[number][0]), ended[number][0])
        for number, seen in vectors_at(trials, rung).items()
        if number in ended and number in began and seen[0] > TIES[0]
    ]


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
