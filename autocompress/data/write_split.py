"""Writing one split: rows of a spool in a given order, encoded, block by block."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autocompress.data.columns import PADDING
from autocompress.data.encode import Encoder, bucket, hash_buckets, look_up, standardised
from autocompress.data.source import Split
from autocompress.data.spool import Spool
from autocompress.schema import Field, Schema, Sequence, Vector

BLOCK = 2**17
"""Rows encoded at a time: 20 MB of ids at 39 fields."""
Rows = NDArray[np.int64]
Ids = NDArray[np.int32]
Encode = Callable[[Rows], NDArray[Any]]
EncodeBlocks = Callable[[Iterable[Rows]], Iterator[Ids]]
"""Blocks of row numbers (n,) in, their packed ids (n, slots) out, in the same order."""


def in_threads(spool: Spool, encoder: Encoder, workers: int | None = None) -> EncodeBlocks:
    """Encodes block by block, the inputs of a block side by side on `workers` threads (None: one per core)."""
    schema, slots = encoder.schema, _slots(encoder.schema)
    inputs: dict[str, Encode] = {
        **{field.name: _field(spool, encoder, field) for field in schema.fields},
        **{each.name: _list(spool, encoder, each) for each in schema.sequences},
    }

    def encoded(parts: Iterable[Rows]) -> Iterator[Ids]:
        with ThreadPoolExecutor(workers or os.cpu_count() or 1) as pool:
            for part in parts:
                block = np.empty((len(part), len(schema.slots)), dtype=np.int32)

                def fill(name: str, block: Ids = block, part: Rows = part) -> None:
                    block[:, slots[name]] = inputs[name](part)

                list(pool.map(fill, slots))
                yield block

    return encoded


def write(
    spool: Spool,
    encoder: Encoder,
    encoded: EncodeBlocks,
    rows: Rows,
    weights: NDArray[np.float32] | None,
    split: Split,
    folder: Path,
) -> int:
    """Writes the arrays of `Dataset` for `split` into `folder` and returns the number of rows.

    `encoded` comes from `in_threads` or its like, once for all splits. `rows` are row numbers of the spool, in the
    order wanted; `weights` (all rows of the spool,) multiply those of the log.
    """
    schema = encoder.schema

    def out(name: str, width: int | None, dtype: type[np.generic], block: Encode) -> None:
        shape = (len(rows),) if width is None else (len(rows), width)
        _save(folder / f"{name}_{split}.npy", shape, dtype, (block(part) for part in _blocks(rows)))

    _save(folder / f"ids_{split}.npy", (len(rows), len(schema.slots)), np.int32, encoded(_blocks(rows)))
    labels = spool.labels()
    out("labels", len(schema.tasks), np.uint8, lambda part: _take(labels, part))
    out("log_rows", None, np.int64, lambda part: part)
    if spool.truths:
        truth = spool.truth()
        out("truth", len(schema.tasks), np.float32, lambda part: _take(truth, part))
    if "key:weight" in spool.columns:
        logged = spool.array("key:weight").astype(np.float32)
        weights = logged if weights is None else weights * logged
    if weights is not None:
        out("weights", None, np.float32, lambda part: _take(weights, part))
    if "key:score" in spool.columns:
        scores = spool.array("key:score")
        out("scores", None, np.float32, lambda part: _take(scores, part).astype(np.float32))
    if "key:group" in spool.columns:
        groups = spool.array("key:group")
        out("groups", None, np.int32, lambda part: _take(groups, part).view(np.int32))
    if schema.vectors:
        vectors = [_vector(spool, encoder, vector) for vector in schema.vectors]
        width = sum(vector.width for vector in schema.vectors)
        out("numbers", width, np.float32, lambda part: np.hstack([vector(part) for vector in vectors]))
    return len(rows)


def _slots(schema: Schema) -> dict[str, int | slice]:
    """Where each field and list stands among the packed ids."""
    found: dict[str, int | slice] = {name: index for index, name in enumerate(schema.field_names)}
    start = len(found)
    for each in schema.sequences:
        found[each.name] = slice(start, start + each.length)
        start += each.length
    return found


def _field(spool: Spool, encoder: Encoder, field: Field) -> Encode:
    if field.kind == "numeric":
        edges = encoder.values[field.name].to_numpy()
        return lambda rows: bucket(_read(spool, field.name, rows), edges)
    if field.encoding == "hash":
        return lambda rows: _read(spool, field.name, rows).astype(np.int32)
    table = _table(spool, encoder, field.name)
    return lambda rows: table.take(_read(spool, field.name, rows), mode="clip")


def _list(spool: Spool, encoder: Encoder, each: Sequence) -> Encode:
    if hash_buckets(each, encoder.schema):
        return lambda rows: np.where(
            (codes := _read(spool, each.name, rows)) == PADDING, -1, codes.astype(np.int64)
        ).astype(np.int32)
    table = _table(spool, encoder, each.shares or each.name)

    def encoded(rows: Rows) -> NDArray[np.int32]:
        codes = _read(spool, each.name, rows)
        return np.where(codes == PADDING, -1, table[np.minimum(codes, np.uint32(len(table) - 1))]).astype(np.int32)

    return encoded


def _vector(spool: Spool, encoder: Encoder, vector: Vector) -> Encode:
    if vector.width > 1:
        return lambda rows: np.nan_to_num(_read(spool, vector.name, rows), posinf=np.inf, neginf=-np.inf)
    fitted = encoder.values[vector.name].to_numpy() if vector.standardise else None
    return lambda rows: standardised(_read(spool, vector.name, rows), fitted)[:, None]


def _table(spool: Spool, encoder: Encoder, name: str) -> NDArray[np.int32]:
    """Id of every code of a vocabulary; its last entry, 0, is for missing values."""
    known = spool.values[name].cast(encoder.values[name].dtype)
    return np.append(look_up(known, encoder.values[name]), np.int32(0))


def _read(spool: Spool, name: str, rows: Rows) -> NDArray[Any]:
    """Rows of a column, mapped for this call alone: what stays mapped after it was read counts as memory."""
    return _take(spool.array(name), rows)


def _take(array: NDArray[Any], rows: Rows) -> NDArray[Any]:
    """`array[rows]`, read as a slice where the rows follow one another."""
    if len(rows) and rows[-1] - rows[0] == len(rows) - 1 and (len(rows) < 2 or (np.diff(rows) == 1).all()):
        return np.asarray(array[rows[0] : rows[-1] + 1])
    return np.asarray(array[rows])


def _blocks(rows: Rows) -> Iterator[Rows]:
    for start in range(0, len(rows), BLOCK):
        yield rows[start : start + BLOCK]


def _save(path: Path, shape: tuple[int, ...], dtype: type[np.generic], blocks: Iterator[NDArray[Any]]) -> None:
    """An .npy file, written as its parts come: a memory map of it would count as memory."""
    with path.open("wb") as stream:
        header = {"descr": np.dtype(dtype).str, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(stream, header)
        with ThreadPoolExecutor(1) as writer:
            last: Future[int] | None = None
            for block in blocks:
                if last is not None:
                    last.result()
                last = writer.submit(stream.write, np.ascontiguousarray(block, dtype=dtype).data.cast("B"))
            if last is not None:
                last.result()
