"""NSGA-III (Deb and Jain, IEEE TEC 2014): as NSGA-II, with reference directions in place of crowding."""

from __future__ import annotations

from typing import Literal

from optuna.samplers import BaseSampler, NSGAIIISampler

from autocompress.schema import Frozen
from autocompress.search.samplers.sampler import STARTUP_TRIALS, Setting


class Nsga3(Frozen):
    """Only complete trials enter the population."""

    kind: Literal["nsga3"] = "nsga3"

    def build(self, setting: Setting) -> BaseSampler:
        """A population as large as other samplers' start."""
        return NSGAIIISampler(population_size=STARTUP_TRIALS, seed=setting.seed)
