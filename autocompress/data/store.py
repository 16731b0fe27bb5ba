"""The column store: prepared splits on disk, found by the digest of what they were made from."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from autocompress.data import encode
from autocompress.data.source import SPLITS, TRUTH, RowSource, Split
from autocompress.digest import json_digest
from autocompress.errors import UserError
from autocompress.schema import Schema
from autocompress.storage import new_folder

LAYOUT = 1
"""Part of every key; raised when the files of a store change their meaning."""


@dataclass(frozen=True)
class Dataset:
    """A prepared log. Arrays are memory-mapped and read-only; row i of every array of a split is the same row."""

    folder: Path
    digest: str
    name: str
    synthetic: bool
    schema: Schema
    rows: dict[str, int]

    def ids(self, split: Split) -> NDArray[np.int32]:
        """Encoded ids, int32, (rows, fields)."""
        ids: NDArray[np.int32] = np.load(self.folder / f"ids_{split}.npy", mmap_mode="r")
        return ids

    def labels(self, split: Split) -> NDArray[np.uint8]:
        """Labels in {0, 1}, uint8, (rows, tasks)."""
        labels: NDArray[np.uint8] = np.load(self.folder / f"labels_{split}.npy", mmap_mode="r")
        return labels

    def truth(self, split: Split) -> NDArray[np.float32] | None:
        """True probabilities, float32, (rows, tasks), of a simulator; None of a real log."""
        path = self.folder / f"truth_{split}.npy"
        return np.load(path, mmap_mode="r") if path.exists() else None

    @cached_property
    def encoder(self) -> encode.Encoder:
        """Fitted on the training split."""
        return encode.load(self.schema, self.folder)

    @cached_property
    def counts(self) -> list[NDArray[np.int64]]:
        """Training frequency of every id, one int64 array per field (its length is the field's embedding rows)."""
        ids = self.ids("train")
        return [np.bincount(ids[:, index], minlength=rows) for index, rows in enumerate(self.encoder.rows)]


def prepare(source: RowSource, cache: Path) -> Dataset:
    """Finds or makes the store of `source` under `cache`/data.

    `UserError` where a column is missing, a label is not 0/1, or a split is empty or holds one class only; nothing is
    left behind then.
    """
    schema = source.row_schema()
    key = {
        "layout": LAYOUT,
        "kind": source.kind,
        "content": source.content_digest(),
        "schema": schema.model_dump(mode="json"),
    }
    digest = json_digest(key)
    folder = cache / "data" / digest
    if not (folder / "store.json").exists():
        with new_folder(folder) as temporary:
            _write(source, schema, digest, temporary)
    facts = json.loads((folder / "store.json").read_text())
    for name, size in facts["bytes"].items():
        if not (folder / name).is_file() or (folder / name).stat().st_size != size:
            raise UserError(f"{folder / name} is missing or truncated: remove {folder} and it is prepared again")
    return Dataset(folder, digest, source.kind, source.synthetic, schema, facts["rows"])


def _write(source: RowSource, schema: Schema, digest: str, folder: Path) -> None:
    encoder: encode.Encoder | None = None
    rows = {}
    for split in SPLITS:
        frame = source.read(split)
        check(frame, schema, split)
        encoder = encoder or encode.fit(frame, schema)
        np.save(folder / f"ids_{split}.npy", encode.encode(frame, encoder))
        np.save(folder / f"labels_{split}.npy", _columns(frame, [t.label for t in schema.tasks], np.dtype(np.uint8)))
        truths = [TRUTH + task.name for task in schema.tasks]
        if set(truths) <= set(frame.columns):
            np.save(folder / f"truth_{split}.npy", _columns(frame, truths, np.dtype(np.float32)))
        rows[split] = frame.height
    assert encoder is not None
    encode.save(encoder, folder)
    sizes = {path.name: path.stat().st_size for path in sorted(folder.iterdir())}
    (folder / "store.json").write_text(json.dumps({"digest": digest, "rows": rows, "bytes": sizes}, indent=1))


def _columns(frame: pl.DataFrame, names: list[str], dtype: np.dtype[np.generic]) -> NDArray[np.generic]:
    return np.stack([frame[name].to_numpy().astype(dtype) for name in names], axis=1)


def check(frame: pl.DataFrame, schema: Schema, split: Split) -> None:
    """`UserError` unless `frame` has rows, every field and label, and labels of both classes and nothing else."""
    encode.require_columns(frame.columns, schema, labels=True)
    if not frame.height:
        raise UserError(f"the {split} split is empty: no row falls into it")
    for task in schema.tasks:
        values = frame[task.label].unique(maintain_order=True).to_list()
        if wrong := [value for value in values if value not in (0, 1)]:
            row = frame[task.label].eq_missing(wrong[0]).arg_max()
            raise UserError(
                f"label {task.label!r} of task {task.name!r} holds {wrong[0]!r} in row {row} of the {split} split: "
                "allowed are 0 and 1"
            )
        if len(values) < 2:
            raise UserError(
                f"label {task.label!r} is always {values[0]} in the {split} split: a task needs both 0 and 1"
            )
