"""Every trial runs to its end."""

from __future__ import annotations

from typing import ClassVar, Literal

from autocompress.schema import Frozen
from autocompress.search.objectives import Vector
from autocompress.search.trial_pruners.trial_pruner import Others, Verdict


class Unpruned(Frozen):
    """What a comparison of pruners needs."""

    kind: Literal["none"] = "none"

    finishes: ClassVar[None] = None

    def judge(self, number: int, level: int, levels: int, mine: Vector, others: Others, eta: int) -> Verdict:
        """Always goes on."""
        return "go on"
