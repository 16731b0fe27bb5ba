"""Batches as slices of memory-mapped columns, block-shuffled, for Lightning."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

BLOCK = 256
"""Rows that stay neighbours: small enough to mix days, large enough that a batch is a few dozen slices."""


class Batch(NamedTuple):
    """`ids` int64 (n, fields); `labels` float32 (n, tasks); `soft` float32 (n, tasks) teacher logits, or None."""

    ids: torch.Tensor
    labels: torch.Tensor
    soft: torch.Tensor | None


class Batches:
    """One epoch over the latest `share` of the rows, `batch_size` rows at a time, the last partial batch dropped.

    The latest rows are the nearest to what will be served. `soft` covers at least those rows. Each iteration
    reshuffles, from (seed, iteration).
    """

    def __init__(
        self,
        ids: NDArray[np.int32],
        labels: NDArray[np.uint8],
        soft: NDArray[np.float32] | None,
        *,
        batch_size: int,
        share: float = 1.0,
        seed: int = 0,
    ) -> None:
        rows = max(1, round(len(ids) * share))
        if soft is not None and len(soft) < rows:
            raise ValueError(f"teacher logits cover {len(soft)} rows, {rows} are asked for")
        self._arrays = (ids[-rows:], labels[-rows:], None if soft is None else soft[-rows:])
        self._batch_size = min(batch_size, rows)
        self._seed, self._iteration = seed, 0

    def __len__(self) -> int:
        return len(self._arrays[0]) // self._batch_size

    def __iter__(self) -> Iterator[Batch]:
        draw = np.random.default_rng([self._seed, self._iteration])
        self._iteration += 1
        ids, labels, soft = self._arrays
        starts = draw.permutation(np.arange(0, len(ids), BLOCK))
        rows = (starts[:, None] + np.arange(BLOCK)).ravel()
        rows = rows[rows < len(ids)]
        for index in range(len(self)):
            take = rows[index * self._batch_size : (index + 1) * self._batch_size]
            yield Batch(
                torch.from_numpy(ids[take].astype(np.int64)),
                torch.from_numpy(labels[take].astype(np.float32)),
                None if soft is None else torch.from_numpy(soft[take]),
            )
