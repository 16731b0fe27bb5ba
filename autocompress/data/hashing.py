"""Hashes that are equal for equal values in every process, on every machine and in every version."""

from __future__ import annotations

import zlib

import numpy as np
import polars as pl
from numpy.typing import NDArray


def mix(keys: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finalizer of splitmix64 (Steele et al., OOPSLA 2014): every bit of the result depends on every bit given."""
    with np.errstate(over="ignore"):
        mixed = keys + np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def text_hash(column: pl.Series) -> NDArray[np.uint32]:
    """CRC-32 of each value's text, uint32 (rows,); missing values hash like empty text. One call per distinct value."""
    text = column.cast(pl.String).fill_null("")
    distinct = text.unique()
    hashes = np.fromiter((zlib.crc32(value.encode()) for value in distinct), dtype=np.uint32, count=len(distinct))
    return text.replace_strict(distinct, pl.Series(hashes), return_dtype=pl.UInt32).to_numpy().astype(np.uint32)
