"""A Gaussian process, and the expected hypervolume that a trial adds (Daulton et al., NeurIPS 2020).

Its cost grows with the cube of the trials: seconds a proposal at a thousand.
"""

from __future__ import annotations

from typing import Literal

from optuna.samplers import BaseSampler, GPSampler

from autocompress.schema import Frozen
from autocompress.search.samplers.sampler import STARTUP_TRIALS, Setting


class Gp(Frozen):
    """Models the parameters that every trial has; those that exist only beside others are drawn at random."""

    kind: Literal["gp"] = "gp"

    def build(self, setting: Setting) -> BaseSampler:
        """Values are measured, so they are taken to be noisy."""
        return GPSampler(seed=setting.seed, n_startup_trials=STARTUP_TRIALS, warn_independent_sampling=False)
