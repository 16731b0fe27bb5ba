"""Tree-structured Parzen estimators for several objectives (Ozaki et al., GECCO 2020; Watanabe, arXiv:2304.11127)."""

from __future__ import annotations

from typing import Literal

from optuna.samplers import BaseSampler

from autocompress.schema import Frozen
from autocompress.search.density_ratio import DensityRatioSampler
from autocompress.search.samplers.sampler import STARTUP_TRIALS, Setting


class Tpe(Frozen):
    """Random for the first `STARTUP_TRIALS` trials, recipes counted.

    `multivariate`: over all parameters together, those that exist only beside others modelled where they exist. On a
    replay of stored trials that finds less than parameter by parameter (`experiments/search_replay`).
    """

    kind: Literal["tpe"] = "tpe"
    multivariate: bool = False

    def build(self, setting: Setting) -> BaseSampler:
        """What others are trying counts as bad, so that nobody tries it, too."""
        return DensityRatioSampler(
            multivariate=self.multivariate, startup=STARTUP_TRIALS, seed=setting.seed, together=setting.together
        )
