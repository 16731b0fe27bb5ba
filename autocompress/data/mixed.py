"""A word among numbers: a bad cell, unless somebody said that the column holds names."""

from __future__ import annotations

import polars as pl

from autocompress.data import bad_json
from autocompress.data.column_types import first_word_among_numbers
from autocompress.data.infer import Named, reads_like_id
from autocompress.data.sample import Sample


def check_mixed(taken: Sample, named: Named) -> None:
    """`UserError` naming file, column, row and value where nearly all cells of a column are numbers, but not all.

    Ids may mix both, and what is read otherwise (labels, times, keys, what is excluded) is judged there. In Parquet the
    type of a column was somebody's choice, and in JSON a number in quotes was.
    """
    if taken.files.format == "parquet":
        return
    elsewhere = {*named.exclude, *(task.label for task in named.tasks), named.time, named.group, named.split}
    for column in taken.rows:
        if column.dtype != pl.String or column.name in elsewhere or reads_like_id(column.name):
            continue
        row = first_word_among_numbers(column)
        if row is None:
            continue
        path, number = taken.place(row)
        if taken.files.format == "json" and not bad_json.holds_numbers(path, column.name):
            continue
        header = ", data.header=true if line 1 is a header" if number == 1 and not taken.files.header else ""
        raise taken.bad_cell(
            column.name,
            row,
            f"nearly all others are numbers; mend it, or set data.exclude=[{column.name}], or data.schema with "
            f"kind: categorical there{header}",
        )
