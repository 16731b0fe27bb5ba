"""What a rung says of the end: bytes and latency are final there, and of the lost quality a share will be left.

Which share is read from the trials that were trained to the end (Domhan et al., IJCAI 2015, fit curves to a single run;
here all runs of a study share one per rung).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from optuna.trial import FrozenTrial, TrialState

from autocompress.search.objectives import REFERENCE_QUALITY, TIES, Vector

ENOUGH = 4
"""Trials that must have shown a rung and the end before a trial is stopped there."""
PRIOR, PRIOR_SPREAD, NOISE = np.array([0.0, 1.5, 0.0]), np.array([0.3, 1.0, 0.2]), 0.25
"""Of the logarithm of the share of loss that is left at the end: what is expected of its offset and of its slopes over
the logarithms of `kept` and of the loss, how sure, and how far single trials lie from the plane."""
NOTHING = 2 * TIES[0]
"""A loss of which nothing that would count can be recovered."""
FINISHES = "finishes"
"""User attribute: the trial that this one finishes."""
GATE, ONE_SHOT, RUNG = "gate", "one-shot", "rung "


def rung_name(place: int) -> str:
    """`rung 1` is the first."""
    return f"{RUNG}{place}"


def place_of(rung: str) -> int:
    """How many rungs stand before it: 0 of the gate, 1 of the one-shot quality, 2 of the first rung."""
    return 0 if rung == GATE else 1 if rung == ONE_SHOT else 1 + int(rung.removeprefix(RUNG))


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


@dataclass(frozen=True)
class ShareLeft:
    """What share of its loss a trial will keep to the end, as a Bayesian linear regression holds it (Bishop, "Pattern
    Recognition and Machine Learning", 2006, section 3.3): what a first training does to a loss a longer one does again,
    how often is learned, and while nobody tells it is `PRIOR`."""

    weights: NDArray[np.float64]
    covariance: NDArray[np.float64]

    @classmethod
    def learned(cls, told: Sequence[tuple[Point, float]]) -> ShareLeft:
        """From what trials showed at a rung, and their loss at the end."""
        points = np.array([_told_by(point) for point, _ in told]).reshape(-1, len(PRIOR))
        shares = np.array([min(1.0, max(end, TIES[0]) / point.loss) for point, end in told])
        belief = np.diag(1 / np.square(PRIOR_SPREAD))
        covariance = np.linalg.inv(belief + points.T @ points / NOISE**2)
        return cls(covariance @ (belief @ PRIOR + points.T @ np.log(shares) / NOISE**2), covariance)

    def at(self, quantile: float, mine: Point) -> float:
        """That quantile of the share, at most 1."""
        if mine.loss <= 0:
            return 1.0
        asked, deviations = _told_by(mine), _deviations(quantile)
        found = sum(value * weight for value, weight in zip(asked, self.weights.tolist(), strict=True))
        if deviations:
            found += deviations * math.sqrt(NOISE**2 + np.array(asked) @ self.covariance @ np.array(asked))
        return min(1.0, math.exp(found))


@cache
def _deviations(quantile: float) -> float:
    return NormalDist().inv_cdf(quantile)


def share_left(mine: Point, told: Sequence[tuple[Point, float]], quantile: float) -> float:
    """`ShareLeft` of one trial."""
    return ShareLeft.learned(told).at(quantile, mine)


def _told_by(point: Point) -> tuple[float, float, float]:
    """What the logarithm of the share is linear in."""
    return 1.0, math.log(point.kept), math.log(max(point.loss, TIES[0]) / -REFERENCE_QUALITY)


def told_at(trials: Sequence[FrozenTrial], rung: str, last: str) -> list[tuple[Point, float]]:
    """Of the plans that were trained up to the rung `last`: what they showed at `rung`, and what they lost at the end.
    Those that lost no more than a tie at the rung say nothing."""
    return _told(vectors_at(trials, rung), vectors_at_end(trials, last), vectors_at(trials, ONE_SHOT))


def _told(
    at_rung: Mapping[int, Vector], ended: Mapping[int, Vector], began: Mapping[int, Vector]
) -> list[tuple[Point, float]]:
    return [
        (Point(seen[0], began[number][0]), ended[number][0])
        for number, seen in at_rung.items()
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


def expected(trials: Sequence[FrozenTrial]) -> dict[int, Vector]:
    """What each plan will come to at the last rung that any trial has shown, by the number of the trial that began it.

    Stopped trials count, and plans that were finished count once; of a trial that was stopped at the gate nothing is
    known.
    """
    over = [trial for trial in trials if trial.state in (TrialState.COMPLETE, TrialState.PRUNED)]
    last = max({reached(trial) for trial in over} - {""}, key=place_of, default="")
    ended, began = vectors_at_end(over, last), vectors_at(over, ONE_SHOT)
    learned: dict[str, ShareLeft] = {}
    found: dict[int, Vector] = {}
    for trial in over:
        number, facts = trial.number, trial.user_attrs
        if FINISHES in facts or number not in began:
            continue
        if number in ended:
            found[number] = ended[number]
            continue
        loss, size, latency = trial.values if trial.state is TrialState.COMPLETE else facts["rungs"][-1]["vector"]
        found[number] = (loss, size, latency)
        if (rung := reached(trial)) != last:
            learned[rung] = learned.get(rung) or ShareLeft.learned(_told(vectors_at(over, rung), ended, began))
            found[number] = at_the_end(found[number], learned[rung].at(0.5, Point(loss, began[number][0])))
    return found
