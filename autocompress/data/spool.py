"""The spool: every row of a source once, column by column on disk, before anything is decided about it.

Categorical values are written as provisional codes (the order in which they were first seen), so that a text is hashed
once, counting is a `bincount` and encoding is a lookup, whatever is then dropped, split or left out. A column of 20 M
rows is an 80 MB file that is read when it is needed: memory grows with the distinct values, not with the log.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import polars as pl
from numpy.typing import NDArray

from autocompress.data.columns import PADDING, Column, Kind, arrays, layout, new_vocabulary, vocabulary
from autocompress.data.source import TRUTH
from autocompress.digest import json_digest
from autocompress.errors import UserError, nearest
from autocompress.schema import Schema

UNKNOWN = 255
"""A label that is missing."""
MAX_IDS = 20_000_000
"""Distinct values of one column that are kept in memory: about 2 GB of short text."""
_LABELS, _FINGERPRINTS, _TRUTH = "labels.bin", "fingerprints.bin", "truth.bin"
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_DTYPES: dict[Kind, type[np.generic]] = {
    "codes": np.uint32, "hash": np.uint32, "lists": np.uint32, "hashed_lists": np.uint32,
    "numbers": np.float64, "vectors": np.float32,
}  # fmt: skip


@dataclass(frozen=True)
class Spool:
    """`rows` rows in `folder`. `values[c]`: distinct values (text) of a vocabulary, position = code.

    Columns go by the name of their input, or by their role: `key:time`, `key:group`, `key:weight`, `key:score`,
    `key:split`.
    """

    folder: Path
    schema: Schema
    rows: int
    columns: Mapping[str, Column]
    values: Mapping[str, pl.Series]
    dtypes: Mapping[str, pl.DataType]
    truths: tuple[str, ...]

    def array(self, name: str) -> NDArray[Any]:
        """A column, memory-mapped; the shapes, types and marks of missing values are those of `columns.arrays`."""
        column = self.columns[name]
        return self._map(_file(name), _DTYPES[column.kind], column.width)

    def value_dtype(self, name: str) -> pl.DataType:
        """The type in which the values of a vocabulary are stored: that of a number, else text."""
        dtype = self.dtypes[self.columns[name].source]
        if isinstance(dtype, pl.List):
            dtype = pl.Series([], dtype=dtype).explode().dtype
        return dtype if dtype.is_integer() or dtype.is_float() else pl.String()

    def labels(self) -> NDArray[np.uint8]:
        """Labels, uint8 (rows, tasks): 0, 1 or `UNKNOWN`."""
        return self._map(_LABELS, np.uint8, len(self.schema.tasks))

    def truth(self) -> NDArray[np.float32]:
        """True probabilities of a simulator, float32 (rows, tasks); only where `truths` are named."""
        return self._map(_TRUTH, np.float32, len(self.truths))

    def fingerprints(self) -> NDArray[np.uint64]:
        """A hash of every input, label and key of a row, uint64 (rows,): equal for equal rows."""
        return self._map(_FINGERPRINTS, np.uint64, 0)

    def _map(self, file: str, dtype: type[np.generic], width: int) -> NDArray[Any]:
        shape = (self.rows, width) if width else (self.rows,)
        return np.memmap(self.folder / file, dtype=dtype, mode="r", shape=shape)


def _file(name: str) -> str:
    """The file of a column: no name is too long or too odd for it, and none is that of the labels."""
    return f"column_{json_digest(name)}.bin"


def write(chunks: Iterable[pl.DataFrame], schema: Schema, split_column: str | None, folder: Path) -> Spool:
    """Spools all `chunks` into `folder` (which exists and is empty).

    `UserError` where a column is missing, a label is neither 0 nor 1, a column has more than `MAX_IDS` distinct values,
    or no row comes at all.
    """
    columns = layout(schema, split_column)
    vocabularies = {c.values: new_vocabulary() for c in columns.values() if c.values is not None}
    dtypes: dict[str, pl.DataType] = {}
    truths = tuple(TRUTH + task.name for task in schema.tasks)
    known = dict.fromkeys(vocabularies, 0)
    rows = 0
    with ExitStack() as stack:
        files: dict[str, BinaryIO] = {}
        writer = stack.enter_context(ThreadPoolExecutor(1))
        pending: list[Future[int]] = []

        def append(file: str, array: NDArray[Any]) -> None:
            if file not in files:
                files[file] = stack.enter_context((folder / file).open("wb"))
            pending.append(writer.submit(files[file].write, np.ascontiguousarray(array).data.cast("B")))

        for frame in chunks:
            if not dtypes:
                require_columns(frame.columns, [*schema.labels, *(column.source for column in columns.values())])
                dtypes = dict(frame.schema)
                truths = truths if set(truths) <= set(frame.columns) else ()
            labels = _labels(frame, schema, rows)
            append(_LABELS, labels)
            marks = np.zeros(frame.height, dtype=np.uint64)
            _stir(marks, labels)
            for name, array in arrays(frame, columns, vocabularies, rows).items():
                append(_file(name), array)
                column = columns[name]
                if column.values is not None:
                    known[column.values] = max(known[column.values], _distinct(column, array, rows))
                _stir(marks, array)
            append(_FINGERPRINTS, marks)
            if truths:
                append(_TRUTH, frame.select(pl.col(name).cast(pl.Float32) for name in truths).to_numpy(order="c"))
            rows += frame.height
            for write_of_a_column in pending:
                write_of_a_column.result()
            pending.clear()
    if not rows:
        raise UserError("data: the log holds not a single row")
    values = {name: vocabulary(each, known[name]) for name, each in vocabularies.items()}
    return Spool(folder, schema, rows, columns, values, dtypes, truths)


def require_columns(columns: Iterable[str], wanted: Iterable[str]) -> None:
    """`UserError` naming the first of the `wanted` that `columns` lacks, and the nearest column."""
    there = list(columns)
    for name in wanted:
        if name not in there:
            raise UserError(f"column {name!r} is missing from the rows{nearest(name, there)}")


def _labels(frame: pl.DataFrame, schema: Schema, rows: int) -> NDArray[np.uint8]:
    """Labels of a chunk that starts at row `rows` of the log."""
    result = np.empty((frame.height, len(schema.tasks)), dtype=np.uint8)
    for index, task in enumerate(schema.tasks):
        column = frame[task.label]
        if column.dtype == pl.Boolean:
            column = column.cast(pl.UInt8)
        bad = column.is_not_null()
        if column.dtype.is_numeric():
            bad &= (column != 0) & (column != 1)
        if bad.any():
            row = bad.arg_max()
            assert row is not None
            raise UserError(
                f"label {task.label!r} of task {task.name!r} holds {column[row]!r} in row {rows + row + 1:,} of the "
                "log: allowed are 0 and 1"
            )
        result[:, index] = column.cast(pl.UInt8).fill_null(UNKNOWN).to_numpy()
    return result


def _distinct(column: Column, codes: NDArray[np.uint32], rows: int) -> int:
    """How many values the vocabulary of a column holds at least; `UserError` where they are too many."""
    there = codes < PADDING
    highest = int(codes.max(where=there, initial=0))
    if highest >= MAX_IDS:
        row = int(np.argmax((there & (codes >= MAX_IDS)).reshape(len(codes), -1).any(axis=1)))
        raise UserError(
            f"column {column.source!r} has more than {MAX_IDS:,} distinct values (reached in row {rows + row + 1:,} of "
            "the log): their vocabulary would not fit in memory; give it `encoding: hash` in data.schema, or leave it "
            "out"
        )
    return highest + 1 if there.any() else 0


def _stir(marks: NDArray[np.uint64], array: NDArray[Any]) -> None:
    """Folds an array into the fingerprints, in place.

    Whole numbers stored as floats differ in their high bits alone, and a product carries bits only upwards: so each is
    followed by a shift down.
    """
    bits = array if array.dtype.kind == "u" else array.view(np.dtype(f"u{array.dtype.itemsize}"))
    for values in bits.reshape(len(marks), -1).T:
        np.add(marks, values, out=marks, casting="unsafe")
        np.bitwise_xor(marks, marks >> np.uint64(32), out=marks)
        np.multiply(marks, _MULTIPLIER, out=marks)
