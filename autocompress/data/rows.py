"""`autocompress rows`: a split's rows as people know them, after joins and cleaning, before encoding."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from autocompress.data.cleaning import Cleaning
from autocompress.data.cleaning_report import report_lines
from autocompress.data.source import TRUTH, RowSource, Split
from autocompress.data.store import Dataset, Say, prepare
from autocompress.storage import check_new_file, new_file


def read_rows(source: RowSource, dataset: Dataset, split: Split) -> pl.DataFrame:
    """Columns of the source for the rows of a split of `dataset`, in the order in which models score them.

    Inputs that cleaning dropped are left out, unless they are a label or a key as well.
    """
    wanted = np.asarray(dataset.log_rows(split))
    there = np.sort(wanted)
    parts, start = [], 0
    for frame in source.chunks():
        first, last = np.searchsorted(there, (start, start + frame.height))
        parts.append(frame[there[first:last] - start])
        start += frame.height
    order = np.argsort(np.argsort(wanted, kind="stable"), kind="stable")
    schema = source.row_schema()
    dropped = {*schema.input_names} - {*dataset.schema.input_names, *schema.labels, *schema.keys}
    return pl.concat(parts)[order].select(pl.exclude(f"^{TRUTH}.*$")).drop(dropped)


def write_rows(
    source: RowSource, cleaning: Cleaning, cache: Path, split: Split, output: Path, say: Say = lambda line: None
) -> None:
    """Writes the inputs that are left, labels and keys of the split to `output` (Parquet).

    Prepares the data first where need be. `say` gets what the source notes, what cleaning found, and where the rows
    were written.
    """
    check_new_file("output", output)
    dataset = prepare(source, cleaning, cache, say=say)
    for line in (*source.notes(), *report_lines(dataset.cleaning)):
        say(line)
    frame = read_rows(source, dataset, split)
    with new_file(output) as temporary:
        frame.write_parquet(temporary)
    say(f"{frame.height:,} rows of the {split} split, {frame.width} columns: {output}")
