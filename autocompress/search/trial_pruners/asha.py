"""Asynchronous successive halving for several objectives: nobody waits, and who falls behind at a rung stops for good.

The stopping variant of Li et al., MLSys 2020, with a standing by non-dominated rank in place of a loss (Schmucker et
al., arXiv:2106.12639).
"""

from __future__ import annotations

from typing import ClassVar, Literal

from autocompress.schema import Frozen
from autocompress.search.objectives import Ties, Vector, survives
from autocompress.search.trial_pruners.trial_pruner import Others, Verdict


class Asha(Frozen):
    """`ties`: who of equal rank goes on, by crowding distance, or by an epsilon net over the rank."""

    kind: Literal["asha"] = "asha"
    ties: Ties = "crowding"

    finishes: ClassVar[None] = None

    def judge(self, number: int, level: int, levels: int, mine: Vector, others: Others, eta: int) -> Verdict:
        """Among all that were seen at the level."""
        return "go on" if survives(mine, list(others.at_rung.values()), eta, self.ties) else "stop"
