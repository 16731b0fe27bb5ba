"""Fitting an encoder on the training rows of a spool."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import polars as pl
from numpy.typing import NDArray

from autocompress.data.encode import Encoder
from autocompress.data.spool import Spool
from autocompress.schema import Field, Schema

SAMPLE = 2**18
"""Training values that quantiles are read from: every k-th, so that a quantile is within .001 of its rank."""


def fit(spool: Spool, schema: Schema, train: NDArray[np.bool_], clip: tuple[float, float]) -> Encoder:
    """An encoder of `schema` (the spool's, or a part of it) from the rows where `train` (rows,) is true.

    Standardised numbers are clipped to their training quantiles `clip` before mean and deviation are taken.
    """
    fields = [field for field in schema.fields if field.encoding != "hash"]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        fitted_fields = pool.map(lambda field: _field(spool, field, train), fields)
        values = {field.name: fitted for field, fitted in zip(fields, fitted_fields, strict=True)}
    for each in schema.sequences:
        if each.shares is None and each.encoding == "vocabulary":
            counts = _counts(spool.array(each.name)[train].ravel(), len(spool.values[each.name]))
            values[each.name] = _vocabulary(spool, each.name, counts, each.min_count)
    for vector in schema.vectors:
        if vector.standardise:
            fitted = _moments(_present(spool, vector.name, train), clip)
            values[vector.name] = pl.Series(vector.name, fitted, dtype=pl.Float64)
    return Encoder(schema, values)


def _field(spool: Spool, field: Field, train: NDArray[np.bool_]) -> pl.Series:
    if field.kind == "numeric":
        numbers = _present(spool, field.name, train)
        edges = _quantiles(numbers, field.buckets) if field.encoding == "quantile" else _powers(numbers, field.buckets)
        return pl.Series(field.name, edges, dtype=pl.Float64)
    counts = _counts(spool.array(field.name)[train], len(spool.values[field.name]))
    return _vocabulary(spool, field.name, counts, field.min_count)


def _present(spool: Spool, name: str, train: NDArray[np.bool_]) -> NDArray[np.float64]:
    numbers: NDArray[np.float64] = spool.array(name)[train]
    return numbers[~np.isnan(numbers)]


def _sample(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    return numbers[:: max(1, -(-len(numbers) // SAMPLE))]


def _quantiles(numbers: NDArray[np.float64], buckets: int) -> list[float]:
    if not len(numbers):
        return []
    levels = np.linspace(0.0, 1.0, buckets + 1)[1:-1]
    edges: list[float] = np.unique(np.quantile(_sample(numbers), levels, method="inverted_cdf")).tolist()
    return edges


def _powers(numbers: NDArray[np.float64], buckets: int) -> list[float]:
    """0 and the powers of two on both sides of it, as far as the numbers reach and `buckets` allows."""
    if not len(numbers):
        return []
    highest, lowest = float(numbers.max()), float(numbers.min())
    up = [float(2**power) for power in range(buckets) if 2**power < highest]
    down = [-float(2**power) for power in range(buckets) if -(2**power) > lowest]
    return [*reversed(down), 0.0, *up]


def _counts(codes: NDArray[np.uint32], known: int) -> NDArray[np.int64]:
    # missing values and padding fall past the end
    return np.bincount(np.minimum(codes, np.uint32(known)), minlength=known + 1)[:known]


def _vocabulary(spool: Spool, name: str, counts: NDArray[np.int64], min_count: int) -> pl.Series:
    """Values seen at least `min_count` (>= 1) times in training, the commonest first, ties by value."""
    dtype = spool.value_dtype(name)
    return (
        pl.DataFrame({"value": spool.values[name], "count": counts})
        .filter(pl.col("count") >= min_count)
        .with_columns(pl.col("value").cast(dtype))
        .sort("count", "value", descending=[True, False])["value"]
        .alias(name)
    )


def _moments(numbers: NDArray[np.float64], clip: tuple[float, float]) -> list[float]:
    if not len(numbers):
        return [0.0, 1.0, 0.0, 0.0]
    lowest, highest = np.quantile(_sample(numbers), clip, method="inverted_cdf").tolist()
    clipped = np.clip(numbers, lowest, highest)
    return [float(clipped.mean()), float(clipped.std()) or 1.0, lowest, highest]
