"""Hyperband's brackets (Li et al., JMLR 2018) over asynchronous halving: some trials are first judged at a later rung.

Where the first rungs say little of the last, the bracket that starts late does not fall for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field as Limits

from autocompress.schema import Frozen
from autocompress.search.objectives import Ties, Vector, survives


class Hyperband(Frozen):
    """Trial n is in bracket n modulo `brackets`; bracket b stops nobody at its first b levels, and compares only its
    own trials."""

    kind: Literal["hyperband"] = "hyperband"
    brackets: int = Limits(3, ge=1)
    ties: Ties = "crowding"

    def goes_on(self, number: int, level: int, mine: Vector, others: Mapping[int, Vector], eta: int) -> bool:
        """Among those of its bracket that were seen at the level."""
        bracket = number % self.brackets
        if level < bracket:
            return True
        beside = [vector for other, vector in others.items() if other % self.brackets == bracket]
        return survives(mine, beside, eta, self.ties)
