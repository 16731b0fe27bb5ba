"""Batches as slices of memory-mapped columns, block-shuffled, for Lightning."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from autocompress.data.inputs import Inputs

BLOCK = 256
"""Rows that stay neighbours: small enough to mix days, large enough that a batch is a few dozen slices."""


class Batch(NamedTuple):
    """`ids` int64 (n, slots); `labels` float32 (n, tasks); `soft` float32 (n, tasks) teacher logits, or None;
    `weights` float32 (n,), or None where every row counts once; `numbers` float32 (n, width), or None; `groups` int64
    (n,), or None where nobody asked for them."""

    ids: torch.Tensor
    labels: torch.Tensor
    soft: torch.Tensor | None
    weights: torch.Tensor | None = None
    numbers: torch.Tensor | None = None
    groups: torch.Tensor | None = None


class Batches:
    """One epoch over the latest `share` of the rows, `batch_size` rows at a time, the last partial batch dropped.

    The latest rows are the nearest to what will be served. `soft` covers at least those rows. `mask` is the probability
    with which an id is replaced by 0, out of vocabulary, so that a model learns what to say of ids that it never saw.
    Each iteration reshuffles, from (seed, iteration).
    """

    def __init__(
        self,
        inputs: Inputs,
        labels: NDArray[np.uint8],
        soft: NDArray[np.float32] | None,
        *,
        weights: NDArray[np.float32] | None = None,
        groups: NDArray[np.int32] | None = None,
        batch_size: int,
        share: float = 1.0,
        mask: float = 0.0,
        seed: int = 0,
    ) -> None:
        rows = max(1, round(len(inputs) * share))
        if soft is not None and len(soft) < rows:
            raise ValueError(f"teacher logits cover {len(soft)} rows, {rows} are asked for")
        self._inputs, self._labels = inputs[-rows:], labels[-rows:]
        self._soft = None if soft is None else soft[-rows:]
        self._weights = None if weights is None else weights[-rows:]
        self._groups = None if groups is None else groups[-rows:]
        self._batch_size, self._mask = min(batch_size, rows), mask
        self._seed, self._iteration = seed, 0

    def __len__(self) -> int:
        return len(self._inputs) // self._batch_size

    def __iter__(self) -> Iterator[Batch]:
        draw = np.random.default_rng([self._seed, self._iteration])
        self._iteration += 1
        size = self._batch_size
        # a short block at the end of the log stays last, so that row i of an epoch lies in block i // BLOCK
        whole = len(self._inputs) // BLOCK
        starts = np.append(draw.permutation(whole), whole) * BLOCK
        for index in range(len(self)):
            first, last = index * size // BLOCK, ((index + 1) * size - 1) // BLOCK
            rows = (starts[first : last + 1, None] + np.arange(BLOCK)).ravel()
            rows = rows[index * size - first * BLOCK :][:size]
            inputs = self._inputs[rows]
            ids = inputs.ids.astype(np.int64)
            if self._mask:
                ids[(draw.random(ids.shape, dtype=np.float32) < self._mask) & (ids > 0)] = 0
            yield Batch(
                torch.from_numpy(ids),
                torch.from_numpy(self._labels[rows].astype(np.float32)),
                None if self._soft is None else torch.from_numpy(self._soft[rows]),
                None if self._weights is None else torch.from_numpy(self._weights[rows]),
                None if inputs.numbers is None else torch.from_numpy(inputs.numbers),
                None if self._groups is None else torch.from_numpy(self._groups[rows].astype(np.int64)),
            )
