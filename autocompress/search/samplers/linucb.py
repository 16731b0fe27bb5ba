"""UCB with a linear model of what is known beside the pulls (Li et al., WWW 2010, disjoint).

The context: where the front has its widest gap, how many trials keep the constraints, how much budget is left.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from optuna.samplers import BaseSampler
from pydantic import Field as Limits

from autocompress.schema import Frozen
from autocompress.search.bandit import BanditSampler, Floats, Pull
from autocompress.search.samplers.sampler import Setting


class LinUcb(Frozen):
    """`alpha` weighs what is not known."""

    kind: Literal["linucb"] = "linucb"
    alpha: float = Limits(0.3, ge=0.0)

    def build(self, setting: Setting) -> BaseSampler:
        """`UserError` where no method may be left out."""
        return BanditSampler(self, setting)

    def values(self, pulls: Sequence[Pull], arms: int, context: Floats, draw: np.random.Generator) -> Floats:
        """Upper bounds in this context, from a ridge regression per arm."""
        found = np.empty(arms)
        for arm in range(arms):
            mine = [pull for pull in pulls if pull.arm == arm]
            seen = np.array([pull.context for pull in mine]).reshape(-1, len(context))
            gram = np.eye(len(context)) + seen.T @ seen
            weights = np.linalg.solve(gram, seen.T @ np.array([pull.reward for pull in mine]))
            found[arm] = weights @ context + self.alpha * np.sqrt(context @ np.linalg.solve(gram, context))
        return found
