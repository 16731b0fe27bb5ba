"""Criteo display advertising (Kaggle, 2014): seven days of impressions with 13 counts and 26 hashed categories.

Raw lines as published: no header, tab separated, label, I1 to I13 (whole numbers, may be negative or empty), C1 to C26
(8 hex digits or empty), in order of time without a time. 45,840,617 rows in train.txt; the published test.txt has no
labels and is not read.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal

import polars as pl
from pydantic import Field as Limits

from autocompress.data.delimited import binary, text_chunks, whole
from autocompress.data.public import PublicSet, credit, public_file
from autocompress.data.split import InOrder, Splitting
from autocompress.digest import file_digest, json_digest
from autocompress.schema import Field, Frozen, Schema, Task

NUMERIC = tuple(f"I{number}" for number in range(1, 14))
CATEGORICAL = tuple(f"C{number}" for number in range(1, 27))


class Criteo(Frozen):
    """`root` holds `files`, read one after another; each may also lie there as `<name>.gz`."""

    kind: Literal["criteo"] = "criteo"
    synthetic: ClassVar[bool] = False
    licence: ClassVar[str] = "CC BY-NC-SA 4.0"
    citation: ClassVar[str] = "Criteo Labs, Display Advertising Challenge, Kaggle, 2014"
    address: ClassVar[str] = "https://ailab.criteo.com/ressources/"
    root: Path | None = None
    files: tuple[str, ...] = Limits(("train.txt",), min_length=1)
    min_count: int = Limits(4, ge=1)
    split: Splitting = InOrder()

    def row_schema(self) -> Schema:
        """39 fields, one task `click`."""
        fields = [Field(name=name, kind="numeric", encoding="log") for name in NUMERIC]
        fields += [Field(name=name, min_count=self.min_count) for name in CATEGORICAL]
        return Schema(fields=tuple(fields), tasks=(Task(name="click", label="label"),))

    def splitting(self) -> Splitting:
        """The last rows are the latest."""
        return self.split

    def content_digest(self) -> str:
        """Of the bytes of the files, in their order."""
        return json_digest([file_digest(path) for path in self._paths()])

    def notes(self) -> list[str]:
        """Where it is from: nothing is guessed."""
        return credit(self)

    def chunks(self) -> Iterator[pl.DataFrame]:
        """`label` Int8, I1 to I13 Int64, C1 to C26 text."""
        for path in self._paths():

            def typed(frame: pl.DataFrame, before: int, path: Path = path) -> pl.DataFrame:
                numbers = [whole(frame, name, path, before) for name in NUMERIC]
                return frame.with_columns(binary(frame, "label", path, before), *numbers)

            yield from text_chunks(path, ("label", *NUMERIC, *CATEGORICAL), "\t", False, typed)

    def _paths(self) -> list[Path]:
        public = PublicSet(
            kind=self.kind, address=self.address, licence=self.licence, citation=self.citation, files=self.files
        )
        return [public_file(public, self.root, (name, f"{name}.gz")) for name in self.files]
