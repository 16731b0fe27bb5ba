"""What the training rows of a spooled column hold, and what the validation rows hold that training never saw."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autocompress.data.columns import PADDING
from autocompress.data.fit_encoder import SAMPLE
from autocompress.data.split import TRAIN, VALID
from autocompress.data.spool import Spool

BLOCK = 2**22
"""Entries of a list or vector column that are in memory at a time."""


@dataclass(frozen=True)
class Facts:
    """As in `cleaning.ColumnReport`; `constant`: one value in training, or none."""

    missing: float
    constant: bool
    distinct: int | None = None
    once: int | None = None
    commonest: float | None = None
    low: float | None = None
    high: float | None = None
    outside: int = 0
    unseen: float | None = None


def facts(spool: Spool, name: str, split: NDArray[np.uint8], clip: tuple[float, float]) -> Facts:
    """Facts of one input; `split`: the split code of every row, at least one of them `TRAIN`."""
    match spool.columns[name].kind:
        case "numbers":
            return _of_numbers(spool.array(name), split, clip)
        case "codes" | "hash":
            return _of_codes(spool, name, split)
        case "vectors":
            return _of_vectors(spool.array(name), split)
        case _:
            return _of_lists(spool, name, split)


def _of_numbers(array: NDArray[np.float64], split: NDArray[np.uint8], clip: tuple[float, float]) -> Facts:
    train = array[split == TRAIN]
    there = train[~np.isnan(train)]
    absent = len(train) - len(there)
    if not len(there):
        return Facts(missing=1.0, constant=True, distinct=0, commonest=1.0)
    # the rows that the encoder reads its quantiles from
    sample = there[:: max(1, -(-len(there) // SAMPLE))]
    low, high = np.quantile(sample, clip, method="inverted_cdf").tolist()
    there.sort()
    runs = np.diff(np.flatnonzero(np.concatenate([[True], there[1:] != there[:-1], [True]])))
    valid = array[split == VALID]
    valid = valid[~np.isnan(valid)]
    return Facts(
        missing=absent / len(train),
        constant=len(runs) == 1 and not absent,
        distinct=len(runs),
        commonest=max(int(runs.max()), absent) / len(train),
        # JSON knows no infinity
        low=low if np.isfinite(low) else None,
        high=high if np.isfinite(high) else None,
        outside=int(((array < low) | (array > high)).sum()),
        unseen=_share((valid < there[0]) | (valid > there[-1])),
    )


def _of_codes(spool: Spool, name: str, split: NDArray[np.uint8]) -> Facts:
    counts = _counts(spool, name, split)
    known = len(counts) - 1
    valid = _levels(spool, name, spool.array(name)[split == VALID])
    return Facts(
        missing=float(counts[known] / counts.sum()),
        constant=int(np.count_nonzero(counts)) == 1,
        distinct=int(np.count_nonzero(counts[:known])),
        once=int((counts[:known] == 1).sum()),
        commonest=float(counts.max() / counts.sum()),
        unseen=_share(counts[valid[valid < known]] == 0),
    )


def _of_lists(spool: Spool, name: str, split: NDArray[np.uint8]) -> Facts:
    array = spool.array(name)
    counts = _counts(spool, name, split)
    known = len(counts) - 1
    # a list that shares ids is encoded with what its field saw
    values = spool.columns[name].values
    seen = counts if values in (None, name) else _counts(spool, str(values), split)
    entries = unseen = 0
    for block in _blocks(array, split == VALID):
        levels = _levels(spool, name, block)
        levels = levels[levels < known]
        entries += len(levels)
        unseen += int((seen[levels] == 0).sum())
    return Facts(
        missing=float((array[split == TRAIN, -1] == PADDING).mean()),
        constant=_constant(array, split == TRAIN),
        distinct=int(np.count_nonzero(counts[:known])),
        once=int((counts[:known] == 1).sum()),
        unseen=unseen / entries if entries else None,
    )


def _of_vectors(array: NDArray[np.float32], split: NDArray[np.uint8]) -> Facts:
    rows = int((split == TRAIN).sum())
    absent = sum(int(np.isnan(block).all(axis=1).sum()) for block in _blocks(array, split == TRAIN))
    return Facts(missing=absent / rows, constant=_constant(array, split == TRAIN))


def _counts(spool: Spool, name: str, split: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Training entries per code; the last counts missing values and padding."""
    column = spool.columns[name]
    known = column.buckets or len(spool.values[str(column.values)])
    counts = np.zeros(known + 1, dtype=np.int64)
    for block in _blocks(spool.array(name), split == TRAIN):
        counts += np.bincount(_levels(spool, name, block).ravel(), minlength=known + 1)
    return counts


def _levels(spool: Spool, name: str, codes: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Codes from 0, whatever is missing or padding as the code past the last."""
    column = spool.columns[name]
    # a hash of 0 is missing: one less, it is the highest code there is
    codes = codes - np.uint32(1) if column.buckets else codes
    return np.minimum(codes, np.uint32(column.buckets or len(spool.values[str(column.values)])))


def _constant(array: NDArray[Any], take: NDArray[np.bool_]) -> bool:
    first = array[int(np.argmax(take))]
    return all(((block == first) | ((block != block) & (first != first))).all() for block in _blocks(array, take))


def _blocks(array: NDArray[Any], take: NDArray[np.bool_]) -> Iterator[NDArray[Any]]:
    """The rows taken, a few at a time."""
    width = array.shape[1] if array.ndim > 1 else 1
    step = max(1, BLOCK // width)
    for start in range(0, len(array), step):
        yield array[start : start + step][take[start : start + step]]


def _share(marks: NDArray[np.bool_]) -> float | None:
    return float(marks.mean()) if len(marks) else None
