"""Which part gets how many bits: the exact answer to which choice harms least under a target average.

A multiple-choice knapsack, as Hubara et al., ICML 2021, set mixed precision up as an integer program; solved by HiGHS.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from autocompress.compress.transform import Context
from autocompress.models.recommender import Recommender

SCALE = 1e5
"""Of the largest harm that the solver sees."""
SAMPLE = 1_024
"""Rows on which a part's harm is looked at: once per part and number of bits."""


def allocate(
    sizes: Mapping[str, int],
    costs: Mapping[str, Mapping[int, float]],
    harms: Mapping[str, Mapping[int, float]],
    average: float,
) -> dict[str, int]:
    """Bits of each part, of least summed harm while the mean of `costs` (bits, weighted by `sizes`) is at most
    `average`; the cheapest of all where nothing is as cheap as that.

    Every part has the same choices in `costs` and `harms`.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp

    choices = [(part, bits) for part in sizes for bits in costs[part]]
    if not choices:
        return {}
    total = sum(sizes.values())
    weight = np.array([sizes[part] * costs[part][bits] / total for part, bits in choices])
    # the solver's tolerances are absolute, and a harm may be 1e-10
    harmed = np.array([harms[part][bits] for part, bits in choices])
    harmed *= SCALE / max(float(np.abs(harmed).max()), 1e-300)
    one_each = np.array([[float(part == other) for part, _ in choices] for other in sizes])
    least = sum(sizes[part] * min(costs[part].values()) for part in sizes) / total
    found = milp(
        harmed,
        constraints=[LinearConstraint(one_each, 1, 1), LinearConstraint(weight, ub=max(average, least) * (1 + 1e-9))],
        integrality=np.ones(len(choices)),
        bounds=Bounds(0, 1),
        options={"mip_rel_gap": 0.0},
    )
    if found.x is None:
        raise RuntimeError(f"the allocation of bits found no answer: {found.message}")
    chosen = np.flatnonzero(found.x > 0.5)
    return {choices[index][0]: choices[index][1] for index in chosen}


@torch.no_grad()
def logits_on_sample(model: Recommender, context: Context) -> torch.Tensor:
    """Float32 (rows, tasks), in eval mode."""
    training = model.training
    model.eval()
    numbers = None if context.numbers is None else context.numbers[:SAMPLE]
    logits: torch.Tensor = model(context.ids[:SAMPLE], numbers)
    model.train(training)
    return logits


def harm(logits: torch.Tensor, before: torch.Tensor) -> float:
    """Mean squared change of logits."""
    return float((logits - before).square().mean())
