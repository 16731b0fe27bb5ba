"""What the simulators have in common: laws of popularity, draws, days as splits."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from autocompress.data.source import CHUNK
from autocompress.data.split import ByColumn

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


def zipf(ids: int, exponent: float) -> NDArray[np.float64]:
    """Shares (ids,) that fall as a power of the rank."""
    weights = 1.0 / np.arange(1, ids + 1) ** exponent
    shares: NDArray[np.float64] = weights / weights.sum()
    return shares


def pick(cumulative: NDArray[np.float64], uniform: NDArray[np.float64]) -> Ints:
    """Ids drawn in proportion to what `cumulative` adds up; `uniform` are numbers in [0, 1)."""
    found: Ints = np.minimum(np.searchsorted(cumulative, uniform * cumulative[-1]), len(cumulative) - 1)
    return found


def sigmoid(logits: Floats) -> Floats:
    """Probabilities, float32."""
    probabilities: Floats = (1.0 / (1.0 + np.exp(-logits))).astype(np.float32)
    return probabilities


def by_days(days: int) -> ByColumn:
    """The last day of the column `day` is the test split, the one before it validation."""
    names = [str(day) for day in range(days)]
    return ByColumn(column="day", train=tuple(names[:-2]), valid=(names[-2],), test=(names[-1],))


def parts_of_days(rows: int, days: int) -> Iterator[tuple[int, int, int, int]]:
    """(day, part, parts, rows of the part): every day has equally many rows, in as many parts as keep to `CHUNK`."""
    of_day = rows // days
    parts = -(-of_day // CHUNK)
    for day in range(days):
        for part in range(parts):
            yield day, part, parts, of_day * (part + 1) // parts - of_day * part // parts
