"""Inputs that know the label: consequences of the event that a log keeps beside its causes.

Each input is looked at alone, on a sample of the training rows. It is suspect where it ranks the label too well by
itself, or where one plain condition on it ("is missing", "is not 0", "is 'x'") all but decides the label. A task with a
parent is judged among the rows where the parent is 1: what gives the parent away is found at the parent.

Thresholds were chosen on KuaiRand, Census-Income and the simulator: see tests/data/test_leaks.py for the margins.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autocompress.data.columns import PADDING
from autocompress.data.conditions import Counts, Levels, judge, tried
from autocompress.data.spool import UNKNOWN, Spool

SAMPLE = 200_000
"""Training rows per task, every k-th: one standard error of an AUC is below .005 where 2 % of the labels are 1."""
VECTOR_SAMPLE = 2_000_000
"""Numbers of a vector that are looked at, over all its dimensions."""
FEWEST = 50
"""Least rows of either label from which an AUC makes an input suspect: chance reaches .9 with a handful of rows."""
_PRIOR = 10.0


@dataclass(frozen=True)
class Finding:
    """What one input gives away.

    `auc`: the highest over the tasks; None where no label has two values, and of lists. `suspect`: why it is taken for
    a leak. `doubtful`: why it may be one.
    """

    auc: float | None = None
    suspect: str | None = None
    doubtful: str | None = None


def find(spool: Spool, train: NDArray[np.int64], auc: float) -> dict[str, Finding]:
    """A finding per input from the rows numbered in `train`; an input whose AUC reaches `auc` is suspect."""
    labels = spool.labels()
    samples = {task.name: _sample(spool, labels, train, task.name) for task in spool.schema.tasks}

    def look(name: str) -> Finding:
        seen = Finding()
        for index, task in enumerate(spool.schema.tasks):
            rows = samples[task.name]
            label = labels[rows, index].astype(np.int64)
            if 0 < label.sum() < len(label):
                seen = _worse(seen, _look(spool, name, task.label, rows, label, auc))
        return seen

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return dict(zip(spool.schema.input_names, pool.map(look, spool.schema.input_names), strict=True))


def _sample(spool: Spool, labels: NDArray[np.uint8], train: NDArray[np.int64], name: str) -> NDArray[np.int64]:
    """Numbers of at most `SAMPLE` training rows, evenly spread, whose label is known and whose parent is 1."""
    index = spool.schema.task_names.index(name)
    fit = labels[train, index] != UNKNOWN
    if (parent := spool.schema.tasks[index].parent) is not None:
        fit &= labels[train, spool.schema.task_names.index(parent)] == 1
    rows: NDArray[np.int64] = train[fit]
    return rows[:: max(1, -(-len(rows) // SAMPLE))]


def _worse(one: Finding, other: Finding) -> Finding:
    aucs = [each.auc for each in (one, other) if each.auc is not None]
    return Finding(max(aucs, default=None), one.suspect or other.suspect, one.doubtful or other.doubtful)


def _look(
    spool: Spool, name: str, label_name: str, rows: NDArray[np.int64], label: Counts, threshold: float
) -> Finding:
    column = spool.columns[name]
    auc: float | None = None
    match column.kind:
        case "numbers":
            numbers = np.asarray(spool.array(name)[rows])
            auc, levels = _number_levels(numbers, label)
        case "codes" | "hash":
            codes = np.asarray(spool.array(name)[rows])
            # of a hash 0 is missing: one less, it is the mark of a missing code
            codes = codes - np.uint32(column.kind == "hash")
            auc, levels = _code_levels(spool, name, codes, label)
        case "vectors":
            step = max(1, len(rows) * column.width // VECTOR_SAMPLE)
            rows, label = rows[::step], label[::step]
            vectors = np.asarray(spool.array(name)[rows])
            aucs = [_number_levels(each, label)[0] for each in vectors.T]
            auc = max((each for each in aucs if each is not None), default=None)
            levels = _presence(np.isnan(vectors).all(axis=1), label)
        case _:
            levels = _presence(spool.array(name)[rows, column.width - 1] == PADDING, label)
    suspect, doubtful = judge(levels, label_name)
    if auc is not None and auc >= threshold and min(label.sum(), len(label) - label.sum()) >= FEWEST:
        suspect = f"alone it ranks {label_name} with an AUC of {auc:.3f}"
    return Finding(auc, suspect, doubtful)


def _presence(missing: NDArray[np.bool_], label: Counts) -> Levels:
    counts = np.bincount(missing, minlength=2)
    positives = np.bincount(missing, label, minlength=2).astype(np.int64)
    return Levels(["missing"], counts[1:], positives[1:], np.array([True]), len(label), int(label.sum()))


def _number_levels(numbers: NDArray[Any], label: Counts) -> tuple[float | None, Levels]:
    """AUC by value, in the better direction, missing values at the better end; and the levels that are conditions."""
    there = ~np.isnan(numbers)
    missing, missed = int((~there).sum()), int(label[~there].sum())
    values = numbers[there]
    order = np.argsort(values)
    values, ones = values[order], label[there][order]
    starts = np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]])) if len(values) else np.empty(0, int)
    rows = np.diff(np.append(starts, len(values)))
    positives = np.add.reduceat(ones, starts) if len(starts) else np.empty(0, np.int64)
    low = ranked(np.append(missing, rows), np.append(missed, positives))
    high = ranked(np.append(rows, missing), np.append(positives, missed))
    found = [each for each in (low, high) if each is not None]
    auc = max((max(each, 1.0 - each) for each in found), default=None)
    distinct = values[starts]
    always = np.append(distinct == 0, True)
    rows, positives = np.append(rows, missing), np.append(positives, missed)
    return auc, tried(lambda at: f"{distinct[at]:g}" if at < len(distinct) else "missing", rows, positives, always)


def _code_levels(spool: Spool, name: str, codes: NDArray[np.uint32], label: Counts) -> tuple[float | None, Levels]:
    """AUC of the label rate that each value has in the other half of the rows; and the levels that are conditions."""
    column = spool.columns[name]
    missing = column.buckets or len(spool.values[str(column.values)])
    levels: NDArray[Any] = np.minimum(codes, np.uint32(missing))
    values = np.arange(missing + 1)
    if missing > len(codes):
        values, levels = np.unique(levels, return_inverse=True)
    keys = levels.astype(np.int64) * 4 + np.arange(len(codes)) % 2 * 2 + label
    counts = np.bincount(keys, minlength=4 * len(values)).reshape(-1, 2, 2)
    present = counts.any(axis=(1, 2))
    values, counts = values[present], counts[present]
    halves = [_learnt(counts[:, half], counts[:, 1 - half]) for half in (0, 1)]
    aucs = [each for each in halves if each is not None]
    rows, positives = counts.sum(axis=(1, 2)), counts[:, :, 1].sum(axis=1)
    auc = sum(aucs) / len(aucs) if aucs else None
    return auc, tried(lambda level: _name(spool, name, int(values[level])), rows, positives, values == missing)


def _learnt(learnt: Counts, scored: Counts) -> float | None:
    """AUC of smoothed label rates from one half of the rows on the other; counts are (values, 2)."""
    rows = learnt.sum(axis=1)
    rates = (learnt[:, 1] + _PRIOR * learnt[:, 1].sum() / max(1, rows.sum())) / (rows + _PRIOR)
    distinct, places = np.unique(rates, return_inverse=True)
    zeros, ones = (np.bincount(places, scored[:, label], minlength=len(distinct)) for label in (0, 1))
    return ranked((zeros + ones).astype(np.int64), ones.astype(np.int64))


def _name(spool: Spool, name: str, code: int) -> str:
    """A code as a person would write it."""
    column = spool.columns[name]
    if column.buckets:
        return "missing" if code == column.buckets else f"in bucket {code + 1}"
    values = spool.values[str(column.values)]
    return "missing" if code == len(values) else repr(values[code])


def ranked(rows: Counts, positives: Counts) -> float | None:
    """AUC of levels in rising order, rows of one level tied; None where one class is absent."""
    negatives = rows - positives
    pairs = float(positives.sum()) * float(negatives.sum())
    if not pairs:
        return None
    below = np.cumsum(negatives) - negatives
    return float((positives * (below + negatives / 2)).sum()) / pairs
