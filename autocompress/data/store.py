"""The column store: prepared splits on disk, found by the digest of what they were made from.

Making one: every row is spooled once (`spool`), bad rows and inputs are dropped and counted (`cleaning`), rows are
split (`split`), the encoder is fitted on the training rows (`fit_encoder`), and each split is written in order of time
(`write_split`). A store is a folder that appears whole; one process makes it while others wait.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from autocompress.data import encode, spool, write_split
from autocompress.data.check_values import check_labels, check_numbers
from autocompress.data.cleaning import Cleaning, CleaningReport, SplitRows, inspect, keep_rows
from autocompress.data.columns import MISSING
from autocompress.data.fit_encoder import fit
from autocompress.data.inputs import Inputs
from autocompress.data.schema_file import write_yaml
from autocompress.data.source import SPLITS, RowSource, Split
from autocompress.data.split import NONE, TRAIN, assign, key_column
from autocompress.data.thinning import thin
from autocompress.digest import file_digest, json_digest
from autocompress.errors import UserError
from autocompress.schema import Schema
from autocompress.storage import new_folder, write_json

COUNTED = 1 << 16
"""Rows that are counted at once."""
LAYOUT = {False: 2, True: 3}
"""Part of every key, of a store without and with lists or vectors; raised when its files change their meaning."""
STORE, SEEN, REPORT, GUESSED = "store.json", ".seen.json", "cleaning.json", "schema.yaml"
Say = Callable[[str], None]
Encoding = Callable[[spool.Spool, encode.Encoder], write_split.EncodeBlocks]
"""Where the rows of a log are encoded: in this process (`write_split.in_threads`), or elsewhere."""


@dataclass(frozen=True)
class Dataset:
    """A prepared log. Arrays are memory-mapped and read-only; row i of every array of a split is the same row.

    `schema` holds the inputs that cleaning left.
    """

    folder: Path
    digest: str
    name: str
    synthetic: bool
    schema: Schema
    rows: dict[str, int]

    def __hash__(self) -> int:
        """Of the digest, which stands for all the rest."""
        return hash(self.digest)

    def inputs(self, split: Split) -> Inputs:
        """What models read."""
        return Inputs(self.ids(split), self._optional("numbers", split))

    def ids(self, split: Split) -> NDArray[np.int32]:
        """Encoded ids, int32, (rows, slots): see `Schema.slots`."""
        return self._array("ids", split)

    def labels(self, split: Split) -> NDArray[np.uint8]:
        """Labels in {0, 1}, uint8, (rows, tasks)."""
        return self._array("labels", split)

    def log_rows(self, split: Split) -> NDArray[np.int64]:
        """Number of each row in the log (0 is its first), int64, (rows,)."""
        return self._array("log_rows", split)

    def truth(self, split: Split) -> NDArray[np.float32] | None:
        """True probabilities, float32, (rows, tasks), of a simulator; None of a real log."""
        return self._optional("truth", split)

    def weights(self, split: Split) -> NDArray[np.float32] | None:
        """How often a row counts, float32, (rows,); None where every row counts once."""
        return self._optional("weights", split)

    def groups(self, split: Split) -> NDArray[np.int32] | None:
        """A number per group (user, query), int32, (rows,), the same in every split; None without a group column."""
        return self._optional("groups", split)

    def scores(self, split: Split) -> NDArray[np.float32] | None:
        """Probabilities of the model that serves already, float32, (rows,); NaN where missing; None without one."""
        return self._optional("scores", split)

    def _array(self, name: str, split: Split) -> NDArray[Any]:
        array: NDArray[Any] = np.load(self.folder / f"{name}_{split}.npy", mmap_mode="r")
        return array

    def _optional(self, name: str, split: Split) -> NDArray[Any] | None:
        return self._array(name, split) if (self.folder / f"{name}_{split}.npy").exists() else None

    @property
    def guessed_schema(self) -> Path | None:
        """The schema as a file to copy and edit, where it was guessed."""
        path = self.folder / GUESSED
        return path if path.exists() else None

    @cached_property
    def encoder(self) -> encode.Encoder:
        """Fitted on the training split."""
        return encode.load(self.schema, self.folder)

    @cached_property
    def cleaning(self) -> CleaningReport:
        """What cleaning counted, dropped and suspects."""
        return CleaningReport.model_validate_json((self.folder / REPORT).read_text())

    @cached_property
    def counts(self) -> list[NDArray[np.int64]]:
        """Training frequency of every id, one int64 array per table, as long as the table.

        A list's own table counts the list's entries; a table that a list shares counts the field alone, by whose
        frequency its ids are sorted.
        """
        ids, fields, slots = self.ids("train"), len(self.schema.fields), np.array(self.schema.slots)
        found = [np.zeros(rows, dtype=np.int64) for rows in self.encoder.rows]
        # a column at a time would read the whole file for each of them
        for start in range(0, len(ids), COUNTED):
            columns = np.ascontiguousarray(ids[start : start + COUNTED].T)
            for table, counts in enumerate(found):
                seen = columns[table] if table < fields else columns[slots == table].ravel()
                counts += np.bincount(seen[seen >= 0], minlength=len(counts))
        return found


def prepare(
    source: RowSource,
    cleaning: Cleaning,
    cache: Path,
    *,
    say: Say = lambda line: None,
    encoding: Encoding = write_split.in_threads,
) -> Dataset:
    """Finds or makes the store of `source` under `cache`/data; `say` gets a line where that takes a while.

    The store and its digest do not depend on `encoding`.
    Where another process makes the same store, waits for it. A store of which a file is missing, truncated or altered
    is made again. `UserError` where a column is missing, a label is not 0/1, or a split is empty or holds one class
    only; nothing is left behind then.
    """
    schema = source.row_schema()
    key = {
        "layout": LAYOUT[bool(schema.sequences or schema.vectors)],
        "kind": source.kind,
        "content": source.content_digest(),
        "schema": schema.model_dump(mode="json"),
        "split": source.splitting().model_dump(mode="json"),
        "cleaning": cleaning.model_dump(mode="json"),
    }
    digest = json_digest(key)
    folder = cache / "data" / digest
    with _alone(cache / "locks" / f"{digest}.lock", say):
        if (folder / STORE).exists() and (fault := _fault(folder)):
            say(f"{fault}: the data are prepared again")
            shutil.rmtree(folder)
        if not (folder / STORE).exists():
            with new_folder(folder) as temporary:
                _make(source, cleaning, temporary, encoding)
    facts = json.loads((folder / STORE).read_text())
    left = Schema.model_validate(facts["schema"])
    return Dataset(folder, digest, source.kind, source.synthetic, left, facts["rows"])


def _make(source: RowSource, cleaning: Cleaning, folder: Path, encoding: Encoding) -> None:
    schema, splitting = source.row_schema(), source.splitting()
    column = key_column(splitting, schema.time)
    by_time = splitting.by == "time"
    with TemporaryDirectory(prefix=".spool.", dir=folder) as name:
        rows = spool.write(source.chunks(), schema, None if by_time else column, Path(name))
        keep, counts = keep_rows(rows, cleaning)
        codes = assign(splitting, _split_key(rows, by_time, column), keep)
        check_labels(rows, codes)
        check_numbers(rows)
        columns = inspect(rows, codes, cleaning)
        kept = without(schema, {each.name for each in columns if each.dropped is not None})
        encoder = fit(rows, kept, codes == TRAIN, cleaning.clip)
        thinned, weights = thin(codes, rows.labels(), cleaning.negatives)
        counts = counts.model_copy(update={"thinned": int((codes != thinned).sum())})
        codes = thinned
        encoded = encoding(rows, encoder)
        sizes = {
            split: write_split.write(rows, encoder, encoded, _in_order(rows, codes == code), weights, split, folder)
            for code, split in enumerate(SPLITS)
        }
    encode.save(encoder, folder)
    none = int((codes == NONE).sum())
    report = CleaningReport(rows=counts, split=SplitRows(**sizes, none=none), columns=columns)
    write_json(folder / REPORT, report.model_dump(mode="json"))
    if schema.guessed:
        left_out = [f"{each.name} is left out: {each.dropped}" for each in columns if each.dropped is not None]
        write_yaml(kept.model_copy(update={"guessed": False}), folder / GUESSED, left_out)
    paths = sorted(folder.iterdir())
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        digests = pool.map(file_digest, paths)
        files = {
            path.name: {"bytes": path.stat().st_size, "sha256": digest}
            for path, digest in zip(paths, digests, strict=True)
        }
    write_json(folder / STORE, {"rows": sizes, "schema": kept.model_dump(mode="json"), "files": files})
    write_json(folder / SEEN, {name: _touched(folder / name) for name in files})


def without(schema: Schema, names: set[str]) -> Schema:
    """The schema without those inputs; `UserError` where nothing that a model reads is left.

    A list that shares the ids of a dropped field goes with it.
    """
    fields = tuple(field for field in schema.fields if field.name not in names)
    if not fields:
        raise UserError(f"data: no input is left after cleaning dropped {', '.join(sorted(names))}: see cleaning.keep")
    return schema.model_copy(
        update={
            "fields": fields,
            "sequences": tuple(s for s in schema.sequences if not {s.name, s.shares or ""} & names),
            "vectors": tuple(vector for vector in schema.vectors if vector.name not in names),
        }
    )


def _split_key(rows: spool.Spool, by_time: bool, column: str | None) -> pl.Series | None:
    if column is None:
        return None
    if by_time:
        return pl.Series(rows.array("key:time"))
    codes = rows.array("key:split")
    values = rows.values["key:split"]
    return values.gather(pl.Series(codes).replace(int(MISSING), None))


def _in_order(rows: spool.Spool, take: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Numbers of the rows of a split by time (rows of one time, and rows without, in the order of the log)."""
    numbers = np.flatnonzero(take)
    if rows.schema.time is None:
        return numbers
    times = rows.array("key:time")[numbers]
    return numbers[np.argsort(times, kind="stable")] if (np.diff(times) < 0).any() else numbers


@contextmanager
def _alone(lock: Path, say: Say) -> Iterator[None]:
    """Holds the lock; says so where it has to wait for another process."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say("another process prepares the same data: waiting for it")
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def _fault(folder: Path) -> str | None:
    """What is wrong with the files of a store; contents are read again only where a file was touched since."""
    files = json.loads((folder / STORE).read_text())["files"]
    seen = json.loads((folder / SEEN).read_text()) if (folder / SEEN).exists() else {}
    now: dict[str, list[int]] = {}
    for name, facts in files.items():
        path = folder / name
        if not path.is_file() or path.stat().st_size != facts["bytes"]:
            return f"{path} is missing or truncated"
        now[name] = _touched(path)
        if now[name] != seen.get(name) and file_digest(path) != facts["sha256"]:
            return f"{path} was altered"
    if now != seen:
        write_json(folder / SEEN, now)
    return None


def _touched(path: Path) -> list[int]:
    """Changes whenever the file is written or replaced."""
    return [path.stat().st_ino, path.stat().st_mtime_ns]
