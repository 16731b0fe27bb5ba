"""Evolution with a surrogate's preselection: of several children of the front, the one that promises most volume.

Parents are drawn by the hypervolume that they hold, alone and beside the others (Beume et al., "SMS-EMOA", EJOR 2007);
children are crossed and mutated; a Gaussian process for each objective tells which is worth a trial (Jin, "Surrogate-
assisted evolutionary computation", 2011).
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from optuna.samplers import BaseSampler
from pydantic import Field as Limits

from autocompress.schema import Frozen
from autocompress.search.outlook import Outlook, OutlookSampler
from autocompress.search.samplers.sampler import Setting
from autocompress.search.variation import active, crossed, mutated

CROSSED, RATE = 0.5, 0.3


class Evolution(Frozen):
    """Of `children` one is tried."""

    kind: Literal["evolution"] = "evolution"
    children: int = Limits(16, ge=1)

    def build(self, setting: Setting) -> BaseSampler:
        """Remembers nothing but what the study stores."""
        return OutlookSampler(self._propose, setting.seed)

    def _propose(self, outlook: Outlook, draw: np.random.Generator) -> dict[str, Any]:
        children = [_child(outlook, draw) for _ in range(self.children)]
        return children[int(np.argmax(outlook.gains(children, draw)))]


def _child(outlook: Outlook, draw: np.random.Generator) -> dict[str, Any]:
    pair = draw.choice(len(outlook.parents), size=2, p=outlook.weights)
    one, other = (outlook.parents[place] for place in pair)
    mixed = crossed(one, other, draw) if draw.random() < CROSSED else one
    return active(mutated(mixed, outlook.space, draw, RATE))
