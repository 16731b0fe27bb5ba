"""Rounding to steps whose size is trained with everything else.

Esser et al., "Learned Step Size Quantization", ICLR 2020; the size is kept as its logarithm (Jain et al., "Trained
Quantization Thresholds", MLSys 2020), so that a step of the optimizer changes it by a share of itself.
"""

from __future__ import annotations

from collections.abc import Callable

import torch


def rounded(
    values: torch.Tensor,
    step: torch.Tensor,
    low: float,
    high: float,
    rounding: Callable[[torch.Tensor], torch.Tensor] = torch.round,
) -> torch.Tensor:
    """`values` as whole steps between `low` and `high` of them; `step` > 0 is broadcast.

    Gradients reach values that lie inside, and the step: of one inside by its rounding error, of one outside by the
    end at which it is held.
    """
    inside = (values / step).clamp(low, high)
    levels = inside + (rounding(inside.detach()).clamp(low, high) - inside).detach()
    return levels * step
