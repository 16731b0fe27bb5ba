"""NSGA-II (Deb et al., IEEE TEC 2002): a population that is crossed and mutated, by rank and crowding."""

from __future__ import annotations

from typing import Literal

from optuna.samplers import BaseSampler, NSGAIISampler

from autocompress.schema import Frozen
from autocompress.search.samplers.sampler import STARTUP_TRIALS, Setting


class Nsga2(Frozen):
    """Only complete trials enter the population."""

    kind: Literal["nsga2"] = "nsga2"

    def build(self, setting: Setting) -> BaseSampler:
        """A population as large as other samplers' start."""
        return NSGAIISampler(population_size=STARTUP_TRIALS, seed=setting.seed)
