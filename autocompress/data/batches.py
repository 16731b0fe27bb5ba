"""Batches of memory-mapped rows, shuffled, for Lightning."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from autocompress.data.inputs import Inputs

BLOCK = 256
"""Rows that stay neighbours where a batch is made of slices: few enough to mix days, enough to read a disk in order."""
IN_MEMORY = 2**30
"""Bytes of ids up to which rows are shuffled one by one: they stay in the page cache."""


class Batch(NamedTuple):
    """`ids` int64 (n, slots); `labels` float32 (n, tasks); what follows is None where there is none, or nobody asked.

    `soft` float32 (n, tasks), the teacher's logits; `weights` float32 (n,), where a row does not count once; `numbers`
    float32 (n, width); `groups` int64 (n,); `features` float32 (n, k) of the teacher. Rows without labels stand last:
    `labels`, `weights`, `groups` and `features` end before them.
    """

    ids: torch.Tensor
    labels: torch.Tensor
    soft: torch.Tensor | None
    weights: torch.Tensor | None = None
    numbers: torch.Tensor | None = None
    groups: torch.Tensor | None = None
    features: torch.Tensor | None = None


class Batches:
    """One epoch over the latest `share` of the rows, `batch_size` rows at a time, the last partial batch dropped.

    The latest rows are the nearest to what will be served. Rows of groups, or of a log larger than `IN_MEMORY`, move in
    blocks of `BLOCK` neighbours; else every row moves alone, so that the pairs of one user do not share a batch. `soft`
    and `features` cover at least those rows. `mask` is the probability with which an id is replaced by 0, out of
    vocabulary, so that a model learns what to say of ids that it never saw. Each iteration reshuffles, from (seed,
    iteration). Of `parts` processes that train together, number `part` gets its share of every batch. `beside` are rows
    without labels with the teacher's logits: each batch takes some of them at random, as many as see all of them once
    in an epoch, but no more than it has rows with labels.

    With a `curriculum` c, in [0, 1], the rows of which `soft` is surest come first: of the share q that it is surer of,
    a row waits for the first c q of an epoch, and comes at any time after that (after Platanios et al.,
    "Competence-based Curriculum Learning", NAACL 2019). `ValueError` where there is no `soft`.
    """

    def __init__(
        self,
        inputs: Inputs,
        labels: NDArray[np.uint8],
        soft: NDArray[np.float32] | None,
        *,
        features: NDArray[np.float16] | None = None,
        weights: NDArray[np.float32] | None = None,
        groups: NDArray[np.int32] | None = None,
        batch_size: int,
        share: float = 1.0,
        mask: float = 0.0,
        seed: int = 0,
        part: int = 0,
        parts: int = 1,
        beside: tuple[Inputs, NDArray[np.float32]] | None = None,
        curriculum: float = 0.0,
    ) -> None:
        rows = max(1, round(len(inputs) * share))
        if soft is not None and len(soft) < rows:
            raise ValueError(f"teacher logits cover {len(soft)} rows, {rows} are asked for")
        self._inputs, self._labels = inputs[-rows:], labels[-rows:]
        self._soft = None if soft is None else soft[-rows:]
        self._features = None if features is None else features[-rows:]
        self._weights = None if weights is None else weights[-rows:]
        self._groups = None if groups is None else groups[-rows:]
        self._batch_size, self._mask = min(batch_size, rows), mask
        self._block = BLOCK if groups is not None or self._inputs.ids.nbytes > IN_MEMORY else 1
        self._seed, self._iteration = seed, 0
        self._waits = self._waiting(curriculum) if curriculum else None
        self._part, self._parts = part, parts
        self._beside = beside
        self._more = 0 if beside is None else min(self._batch_size, -(-len(beside[0]) * self._batch_size // rows))

    def _waiting(self, curriculum: float) -> NDArray[np.float32]:
        """Of each whole block, the share of an epoch that it waits for."""
        if self._soft is None:
            raise ValueError("a curriculum by the teacher's confidence needs the teacher's logits")
        whole = len(self._inputs) // self._block
        rows = np.abs(self._soft[: whole * self._block]).mean(axis=1)
        sure = rows.reshape(whole, self._block).mean(axis=1)
        waits = np.empty(whole, dtype=np.float32)
        waits[np.argsort(-sure, kind="stable")] = curriculum * np.arange(whole) / max(1, whole)
        return waits

    def _order(self, draw: np.random.Generator) -> NDArray[np.int64]:
        """The whole blocks as this epoch sees them."""
        whole = len(self._inputs) // self._block
        if self._waits is None:
            return draw.permutation(whole)
        order: NDArray[np.int64] = np.argsort(self._waits + (1 - self._waits) * draw.random(whole, dtype=np.float32))
        return order

    def __len__(self) -> int:
        return len(self._inputs) // self._batch_size

    def __iter__(self) -> Iterator[Batch]:
        draw = np.random.default_rng([self._seed, self._iteration])
        self._iteration += 1
        size, block = self._batch_size, self._block
        # a short block at the end of the log stays last, so that row i of an epoch lies in block i // block
        whole = len(self._inputs) // block
        starts = np.append(self._order(draw), whole) * block
        for index in range(len(self)):
            first, last = index * size // block, ((index + 1) * size - 1) // block
            rows = (starts[first : last + 1, None] + np.arange(block)).ravel()
            rows = rows[index * size - first * block :][:size]
            rows = rows[size * self._part // self._parts : size * (self._part + 1) // self._parts]
            yield self._batch(rows, draw)

    def _batch(self, rows: NDArray[np.int64], draw: np.random.Generator) -> Batch:
        inputs = self._inputs[rows]
        soft = None if self._soft is None else self._soft[rows]
        if self._beside is not None and soft is not None:
            others = draw.integers(0, len(self._beside[0]), self._more * len(rows) // self._batch_size)
            inputs = _joined(inputs, self._beside[0][others])
            soft = np.concatenate([soft, self._beside[1][others]])
        ids = inputs.ids.astype(np.int64)
        if self._mask:
            ids[(draw.random(ids.shape, dtype=np.float32) < self._mask) & (ids > 0)] = 0
        return Batch(
            torch.from_numpy(ids),
            torch.from_numpy(self._labels[rows].astype(np.float32)),
            None if soft is None else torch.from_numpy(soft),
            None if self._weights is None else torch.from_numpy(self._weights[rows]),
            None if inputs.numbers is None else torch.from_numpy(inputs.numbers),
            None if self._groups is None else torch.from_numpy(self._groups[rows].astype(np.int64)),
            None if self._features is None else torch.from_numpy(self._features[rows].astype(np.float32)),
        )


def _joined(first: Inputs, second: Inputs) -> Inputs:
    numbers = None
    if first.numbers is not None and second.numbers is not None:
        numbers = np.concatenate([first.numbers, second.numbers])
    return Inputs(np.concatenate([first.ids, second.ids]), numbers)
