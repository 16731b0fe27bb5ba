"""The arm that could still be best: its mean and how little is known of it (Auer et al., Machine Learning 2002)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from optuna.samplers import BaseSampler
from pydantic import Field as Limits

from autocompress.schema import Frozen
from autocompress.search.bandit import BanditSampler, Floats, Pull, means_and_counts
from autocompress.search.samplers.sampler import Setting


class Ucb1(Frozen):
    """`width` times sqrt(2 ln n / n of the arm) is added; rewards are mostly near 0, so it is small."""

    kind: Literal["ucb1"] = "ucb1"
    width: float = Limits(0.3, ge=0.0)

    def build(self, setting: Setting) -> BaseSampler:
        """`UserError` where no method may be left out."""
        return BanditSampler(self, setting)

    def values(self, pulls: Sequence[Pull], arms: int, context: Floats, draw: np.random.Generator) -> Floats:
        """Upper bounds; infinite for an arm that was never pulled."""
        means, counts = means_and_counts(pulls, arms)
        bonus = np.sqrt(2 * np.log(max(1, len(pulls))) / np.maximum(counts, 1.0))
        return np.where(counts == 0, np.inf, means + self.width * bonus)
