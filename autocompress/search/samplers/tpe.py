"""Tree-structured Parzen estimators over all parameters together (Watanabe, arXiv:2304.11127), for several objectives.

`group`: parameters that exist only beside others are modelled where they exist.
"""

from __future__ import annotations

from typing import Literal

from optuna.samplers import BaseSampler, TPESampler

from autocompress.schema import Frozen
from autocompress.search.samplers.sampler import STARTUP_TRIALS, Setting


class Tpe(Frozen):
    """Random for the first `STARTUP_TRIALS` trials, recipes counted."""

    kind: Literal["tpe"] = "tpe"

    def build(self, setting: Setting) -> BaseSampler:
        """Multivariate and grouped; what others are trying counts as bad, so that nobody tries it, too."""
        return TPESampler(
            multivariate=True,
            group=True,
            n_startup_trials=STARTUP_TRIALS,
            seed=setting.seed,
            constant_liar=setting.together,
        )
