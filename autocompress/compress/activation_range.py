"""The range of activations that an int8 layer tells apart: all that was seen, nearly all, or what is most telling."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

Calibration = Literal["minmax", "percentile", "entropy"]
TAIL = 1e-4
"""Share of calibration activations that `percentile` leaves outside, on either side."""
BINS, LEVELS = 2048, 256
"""Of the histogram that `entropy` looks at, and of what is left of it in a byte."""
MOST = 1 << 18
"""Values that `percentile` and `entropy` sort; of more, every second row, third, ... is looked at."""
SHRINKS = tuple(0.93**power for power in range(20))


def activation_range(values: torch.Tensor, calibration: Calibration) -> tuple[float, float]:
    """Low and high of `values` float32 (any shape), 0 between them or at an end.

    `percentile` and `entropy` look at `MOST` values or fewer, taken evenly along the first dimension.
    `entropy` shrinks the whole range to the share of `SHRINKS` whose levels differ least from the values in
    Kullback-Leibler divergence (Migacz, "8-bit Inference with TensorRT", GTC 2017).
    """
    if calibration == "minmax":
        lowest, highest = values.aminmax()
        return min(0.0, float(lowest)), max(0.0, float(highest))
    ascending = np.sort(values[:: math.ceil(values.numel() / MOST)].numpy(), axis=None)
    outside = max(1, int(TAIL * len(ascending))) if calibration == "percentile" else 1
    low, high = min(0.0, float(ascending[outside - 1])), max(0.0, float(ascending[-outside]))
    if calibration == "percentile" or low == high:
        return low, high
    # activations behind a ReLU are mostly 0, which every range holds: they would drown the others
    told = ascending[ascending != 0]
    divergences = [_divergence(told, low * shrink, high * shrink) for shrink in SHRINKS]
    best = SHRINKS[int(np.argmin(divergences))]
    return low * best, high * best


def _divergence(ascending: NDArray[np.float32], low: float, high: float) -> float:
    """Of the levels of [low, high] from the values, those outside counted at the ends."""
    places = np.searchsorted(ascending, np.linspace(low, high, BINS + 1, dtype=np.float32))
    places[-1] = np.searchsorted(ascending, np.float32(high), side="right")
    inside = np.diff(places)
    counts = inside.copy()
    counts[0] += places[0]
    counts[-1] += len(ascending) - places[-1]
    # a level spreads its values evenly over those of its bins that hold any
    there = (inside > 0).reshape(LEVELS, -1)
    total = inside.reshape(LEVELS, -1).sum(axis=1, keepdims=True)
    spread = (there * total / np.maximum(there.sum(axis=1, keepdims=True), 1)).ravel()
    # half a value everywhere: a bin that only clipped values fill is improbable, not impossible
    p, q = counts + 0.5, spread + 0.5
    p, q = p / p.sum(), q / q.sum()
    return float((p * np.log(p / q)).sum())
