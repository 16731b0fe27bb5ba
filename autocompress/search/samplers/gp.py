"""Bayesian optimisation by Gaussian processes: the plan of which most hypervolume is expected, wherever it lies.

One process for each objective, and the expected improvement of the front's volume, by sampling (Daulton et al.,
"Differentiable Expected Hypervolume Improvement", NeurIPS 2020), sought among random plans and then around the best of
them. Kernels are chosen by likelihood and not fitted: a proposal takes some hundredths of a second, where Optuna's own
takes seconds (ADR 18).
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from optuna.samplers import BaseSampler
from pydantic import Field as Limits

from autocompress.schema import Frozen
from autocompress.search.outlook import Outlook, OutlookSampler
from autocompress.search.samplers.sampler import Setting
from autocompress.search.variation import active, mutated

NEARBY = 0.15
"""Share of the parameters that is varied in a plan beside the best."""


class Gp(Frozen):
    """The best of `plans` at random, after so many `rounds` of as many beside the best `starts` again."""

    kind: Literal["gp"] = "gp"
    plans: int = Limits(24, ge=1)
    rounds: int = Limits(2, ge=0)
    starts: int = Limits(4, ge=1)

    def build(self, setting: Setting) -> BaseSampler:
        """Remembers nothing but what the study stores."""
        return OutlookSampler(self._propose, setting.seed)

    def _propose(self, outlook: Outlook, draw: np.random.Generator) -> dict[str, Any]:
        found: list[dict[str, Any]] = [active(mutated({}, outlook.space, draw, NEARBY)) for _ in range(self.plans)]
        gains = outlook.gains(found, draw)
        for _ in range(self.rounds):
            best = [found[place] for place in np.argsort(-gains, kind="stable")[: self.starts]]
            beside = [best[place % len(best)] for place in range(self.plans)]
            more = [active(mutated(plan, outlook.space, draw, NEARBY)) for plan in beside]
            found, gains = [*found, *more], np.concatenate([gains, outlook.gains(more, draw)])
        return found[int(np.argmax(gains))]
