"""Asynchronous successive halving for several objectives: nobody waits, and who falls behind at a rung stops for good.

The stopping variant of Li et al., MLSys 2020, with a standing by non-dominated rank in place of a loss (Schmucker et
al., arXiv:2106.12639).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from autocompress.schema import Frozen
from autocompress.search.objectives import Ties, Vector, survives


class Asha(Frozen):
    """`ties`: who of equal rank goes on, by crowding distance, or by an epsilon net over the rank."""

    kind: Literal["asha"] = "asha"
    ties: Ties = "crowding"

    def goes_on(self, number: int, level: int, mine: Vector, others: Mapping[int, Vector], eta: int) -> bool:
        """Among all that were seen at the level."""
        return survives(mine, list(others.values()), eta, self.ties)
