"""`autocompress rows`: a split's rows as people know them, after joins and cleaning, before encoding."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from autocompress.data.source import TRUTH, RowSource, Split
from autocompress.data.store import check
from autocompress.storage import check_new_file, new_file


def write_rows(source: RowSource, split: Split, output: Path) -> None:
    """Writes every field and label of the split to `output` (Parquet), in the order in which models score them."""
    check_new_file("output", output)
    frame = source.read(split)
    check(frame, source.row_schema(), split)
    with new_file(output) as temporary:
        frame.select(pl.exclude(f"^{TRUTH}.*$")).write_parquet(temporary)
