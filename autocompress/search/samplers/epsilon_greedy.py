"""The best arm so far, and now and then any of them (Sutton and Barto, "Reinforcement Learning", 2.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from optuna.samplers import BaseSampler
from pydantic import Field as Limits

from autocompress.schema import Frozen
from autocompress.search.bandit import BanditSampler, Floats, Pull, means_and_counts
from autocompress.search.samplers.sampler import Setting


class EpsilonGreedy(Frozen):
    """Any arm with probability `epsilon`."""

    kind: Literal["epsilon_greedy"] = "epsilon_greedy"
    epsilon: float = Limits(0.2, ge=0.0, le=1.0)

    def build(self, setting: Setting) -> BaseSampler:
        """`UserError` where no method may be left out."""
        return BanditSampler(self, setting)

    def values(self, pulls: Sequence[Pull], arms: int, context: Floats, draw: np.random.Generator) -> Floats:
        """Mean rewards, or equal ones; an arm that was never pulled comes first."""
        means, counts = means_and_counts(pulls, arms)
        if draw.random() < self.epsilon:
            return np.zeros(arms)
        return np.where(counts == 0, np.inf, means)
