"""Each arm as often as it is likely to be the best (Thompson, Biometrika 1933), with normal rewards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from optuna.samplers import BaseSampler

from autocompress.schema import Frozen
from autocompress.search.bandit import BanditSampler, Floats, Pull, means_and_counts
from autocompress.search.samplers.sampler import Setting


class Thompson(Frozen):
    """Means are drawn from a normal around what was seen; before it, one pull of reward 1/2 is believed of each arm."""

    kind: Literal["thompson"] = "thompson"

    def build(self, setting: Setting) -> BaseSampler:
        """`UserError` where no method may be left out."""
        return BanditSampler(self, setting)

    def values(self, pulls: Sequence[Pull], arms: int, context: Floats, draw: np.random.Generator) -> Floats:
        """One draw per arm."""
        means, counts = means_and_counts(pulls, arms)
        spread = float(np.std([0.0, 1.0, *(pull.reward for pull in pulls)]))
        believed = (means * counts + 0.5) / (counts + 1)
        return draw.normal(believed, spread / np.sqrt(counts + 1))
