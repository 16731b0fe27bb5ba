"""Down-sampling of negatives, with the calibration put back: what is kept counts for what is left out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from autocompress.data.hashing import mix
from autocompress.data.split import NONE, TRAIN


def thin(
    split: NDArray[np.uint8], labels: NDArray[np.uint8], share: float
) -> tuple[NDArray[np.uint8], NDArray[np.float32] | None]:
    """Split codes with a share of the negative training rows left, and the weight of every row.

    `split` uint8 (rows,) as in `data.split`; `labels` uint8 (rows, tasks). Training rows without a single positive
    label stay with probability `share` (by a hash of their number) and then weigh 1/share; every other row weighs 1, so
    any sum over the training rows keeps its expectation. Weights are float32 (rows,), None where `share` is 1.
    """
    if share == 1:
        return split, None
    negative = (split == TRAIN) & ~labels.astype(bool).any(axis=1)
    stays = mix(np.arange(len(split), dtype=np.uint64)) < np.uint64(share * 2**64)
    weights = np.where(negative, np.float32(1 / share), np.float32(1))
    return np.where(negative & ~stays, NONE, split).astype(np.uint8), weights.astype(np.float32)
