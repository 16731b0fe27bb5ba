"""How both learning rates go up and down over a training."""

from __future__ import annotations

START_OF_DECAY = 0.5
"""Share of the steps after which the rates fall linearly to zero."""


def rate_factor(step: int, steps: int, warm_up: float) -> float:
    """What the rates are multiplied by in step number `step` of `steps`, from 0; in [0, 1].

    It rises linearly over the first `warm_up` (a share) of the steps (Goyal et al., arXiv:1706.02677), stays at 1, and
    falls linearly to 0 over the last half.
    """
    rising = (step + 1) / (warm_up * steps) if warm_up * steps else 1.0
    falling = max(0.0, 1.0 - step / steps) / (1.0 - START_OF_DECAY) if steps else 0.0
    return min(rising, falling, 1.0)
