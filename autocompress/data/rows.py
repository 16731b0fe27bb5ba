"""`autocompress rows`: a split's rows as people know them, after joins and cleaning, before encoding."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from autocompress.data.cleaning import Cleaning
from autocompress.data.source import TRUTH, RowSource, Split
from autocompress.data.store import Dataset, prepare
from autocompress.storage import check_new_file, new_file


def read_rows(source: RowSource, dataset: Dataset, split: Split) -> pl.DataFrame:
    """Every column of the source for the rows of a split of `dataset`, in the order in which models score them."""
    wanted = np.asarray(dataset.log_rows(split))
    there = np.sort(wanted)
    parts, start = [], 0
    for frame in source.chunks():
        first, last = np.searchsorted(there, (start, start + frame.height))
        parts.append(frame[there[first:last] - start])
        start += frame.height
    order = np.argsort(np.argsort(wanted, kind="stable"), kind="stable")
    return pl.concat(parts)[order].select(pl.exclude(f"^{TRUTH}.*$"))


def write_rows(source: RowSource, cleaning: Cleaning, cache: Path, split: Split, output: Path) -> None:
    """Writes every input, label and key of the split to `output` (Parquet); prepares the data first where need be."""
    check_new_file("output", output)
    frame = read_rows(source, prepare(source, cleaning, cache), split)
    with new_file(output) as temporary:
        frame.write_parquet(temporary)
