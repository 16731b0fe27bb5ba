"""Who cannot come to the front any more stops; who has nothing left to recover, or has shown enough, is shipped.

Bytes and latency of a rung are those of the end, so a trial is out when a file dominates it even where it recovers as
the luckiest quarter of the trials did from there (`learning_curve`). After the last rung but one it is shipped as it
is: the most promising plans are finished by trials of their own (`finishing`).
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field as Limits

from autocompress.schema import Frozen
from autocompress.search.learning_curve import ENOUGH, NOTHING, Point, at_the_end, share_left
from autocompress.search.objectives import REFERENCE_QUALITY, Vector, dominates
from autocompress.search.trial_pruners.trial_pruner import Finishing, Others, Verdict


class Extrapolation(Frozen):
    """`quantile` of the share of its loss that a trial is expected to keep where it is lucky: less stops fewer.

    `finishing`: share of the trials' seconds that goes to finishing at most; with 0, trials train to the end
    themselves.
    """

    kind: Literal["extrapolation"] = "extrapolation"
    quantile: float = Limits(0.25, gt=0.0, lt=1.0)
    finishing: float = Limits(0.5, ge=0.0, lt=1.0)

    @property
    def finishes(self) -> Finishing | None:
        """As far as there is time for it."""
        return Finishing(self.finishing, self.quantile) if self.finishing else None

    def judge(self, number: int, level: int, levels: int, mine: Vector, others: Others, eta: int) -> Verdict:
        """Nobody is stopped while too few trials tell of the level."""
        if mine[0] <= NOTHING:
            return "ship"
        if len(others.told) >= ENOUGH:
            lucky = at_the_end(mine, share_left(Point(mine[0], others.began), others.told, self.quantile))
            if lucky[0] > -REFERENCE_QUALITY or any(dominates(other, lucky) for other in others.files):
                return "stop"
        return "ship" if self.finishing and 0 < level == levels - 1 else "go on"
