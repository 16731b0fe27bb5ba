"""Every plan alike: what others must beat (Bergstra and Bengio, JMLR 2012)."""

from __future__ import annotations

from typing import Literal

from optuna.samplers import BaseSampler, RandomSampler

from autocompress.schema import Frozen
from autocompress.search.samplers.sampler import Setting


class Random(Frozen):
    """Uniform over the space."""

    kind: Literal["random"] = "random"

    def build(self, setting: Setting) -> BaseSampler:
        """Seeded."""
        return RandomSampler(seed=setting.seed)
