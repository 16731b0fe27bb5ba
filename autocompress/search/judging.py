"""How a trial is judged while it runs: what other trials showed at the same rung, and what the pruner makes of it."""

from __future__ import annotations

import optuna

from autocompress.search.config import SearchConfig
from autocompress.search.learning_curve import (
    GATE,
    ONE_SHOT,
    Point,
    place_of,
    rung_name,
    share_left,
    told_at,
    vectors_at,
    vectors_of_files,
)
from autocompress.search.objectives import REFERENCE_QUALITY, Vector, dominates, keeps, standing
from autocompress.search.results import in_force
from autocompress.search.study import finished
from autocompress.search.trial_pruners.trial_pruner import Others, Verdict


class Judging:
    """Of trial `number` in a study of `rungs` rungs; the other trials are read once, when it starts.

    `shortfall` tells how far short the trial fell of its end: TPE ranks stopped trials by it. A trial that finishes a
    plan (`finishes`) was judged before. Files that break a constraint stop nobody; while any keeps them all, a plan
    that is too large for `constraints.max_bytes` stops at the gate.
    """

    def __init__(self, number: int, rungs: int, config: SearchConfig, study: optuna.Study, *, finishes: bool) -> None:
        self._number, self._rungs, self._finishes = number, rungs, finishes
        self._pruner, self._eta = config.study.trial_pruner, config.study.eta
        self._trials = [trial for trial in finished(study) if trial.number != number]
        kept = [trial for trial in self._trials if keeps(trial, in_force(config.constraints))]
        self._files = list(vectors_of_files(kept).values())
        self._max_bytes = config.constraints.max_bytes
        self._last = rung_name(rungs)
        self._began = 0.0
        self.shortfall = 0.0

    def beyond_reference(self, loss: float, rung: str) -> float:
        """How far below the reference quality a file is expected at the end that lost `loss` after `rung`; zero or less
        where it counts. A sampler would else follow files without end that are small and of no use."""
        if rung == self._last:
            return loss + REFERENCE_QUALITY
        share = share_left(Point(loss, self._began), told_at(self._trials, rung, self._last), 0.5)
        return loss * share + REFERENCE_QUALITY

    def __call__(self, rung: str, seen: Vector) -> Verdict:
        """What becomes of the trial after it showed `seen` at a rung."""
        at_rung = vectors_at(self._trials, rung)
        reached = place_of(rung)
        self.shortfall = 1 + self._rungs - reached + standing(seen, list(at_rung.values())) / (len(at_rung) + 1)
        if self._pruner.kind == "none" or self._finishes:
            return "go on"
        if rung == GATE:
            too_large = self._max_bytes is not None and bool(self._files) and 10 ** seen[1] > self._max_bytes + 0.5
            return "stop" if too_large or any(dominates(other, seen) for other in self._files) else "go on"
        if rung == ONE_SHOT:
            self._began = seen[0]
        others = Others(at_rung, told_at(self._trials, rung, self._last), self._files, self._began)
        return self._pruner.judge(self._number, reached - 1, self._rungs, seen, others, self._eta)
