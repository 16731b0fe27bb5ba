"""Hyperband's brackets (Li et al., JMLR 2018) over asynchronous halving: some trials are first judged at a later rung.

Where the first rungs say little of the last, the bracket that starts late does not fall for it.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field as Limits

from autocompress.schema import Frozen
from autocompress.search.objectives import Ties, Vector, survives
from autocompress.search.trial_pruners.trial_pruner import Others, Verdict


class Hyperband(Frozen):
    """Trial n is in bracket n modulo `brackets`; bracket b stops nobody at its first b levels, and compares only its
    own trials."""

    kind: Literal["hyperband"] = "hyperband"
    brackets: int = Limits(3, ge=1)
    ties: Ties = "crowding"

    finishes: ClassVar[None] = None

    def judge(self, number: int, level: int, levels: int, mine: Vector, others: Others, eta: int) -> Verdict:
        """Among those of its bracket that were seen at the level."""
        bracket = number % self.brackets
        if level < bracket:
            return "go on"
        beside = [vector for other, vector in others.at_rung.items() if other % self.brackets == bracket]
        return "go on" if survives(mine, beside, eta, self.ties) else "stop"
