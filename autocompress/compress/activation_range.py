"""The range of activations that an int8 layer tells apart: all that was seen, nearly all, or what is most telling."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

Calibration = Literal["minmax", "percentile", "entropy"]
TAIL = 1e-4
"""Share of calibration activations that `percentile` leaves outside, on either side."""
BINS, LEVELS = 2048, 256
"""Of the histogram that `entropy` looks at, and of what is left of it in a byte."""
SHRINKS = tuple(0.93**power for power in range(20))


def activation_range(values: torch.Tensor, calibration: Calibration) -> tuple[float, float]:
    """Low and high of `values` (any shape), 0 between them or at an end.

    `entropy` shrinks the whole range to the share of `SHRINKS` whose levels differ least from the values in
    Kullback-Leibler divergence (Migacz, "8-bit Inference with TensorRT", GTC 2017).
    """
    flat = values.flatten()
    outside = max(1, int(TAIL * flat.numel())) if calibration == "percentile" else 1
    low = min(0.0, float(flat.kthvalue(outside).values))
    high = max(0.0, float(flat.kthvalue(flat.numel() - outside + 1).values))
    if calibration != "entropy" or low == high:
        return low, high
    # activations behind a ReLU are mostly 0, which every range holds: they would drown the others
    told = flat[flat != 0].double().numpy()
    divergences = [_divergence(told, low * shrink, high * shrink) for shrink in SHRINKS]
    best = SHRINKS[int(np.argmin(divergences))]
    return low * best, high * best


def _divergence(values: NDArray[np.float64], low: float, high: float) -> float:
    """Of the levels of [low, high] from the values, those outside counted at the ends."""
    counts, _ = np.histogram(np.clip(values, low, high), bins=BINS, range=(low, high))
    inside, _ = np.histogram(values, bins=BINS, range=(low, high))
    # a level spreads its values evenly over those of its bins that hold any
    there = (inside > 0).reshape(LEVELS, -1)
    total = inside.reshape(LEVELS, -1).sum(axis=1, keepdims=True)
    spread = (there * total / np.maximum(there.sum(axis=1, keepdims=True), 1)).ravel()
    # half a value everywhere: a bin that only clipped values fill is improbable, not impossible
    p, q = counts + 0.5, spread + 0.5
    p, q = p / p.sum(), q / q.sum()
    return float((p * np.log(p / q)).sum())
