"""Frappe: which app a person used, in which context; the benchmark files Frappe_x1 with two made-up negatives each.

Baltrunas et al., "Frappe: Understanding the Usage and Perception of Mobile App Recommendations In-The-Wild",
arXiv:1505.03014, 2015. Negatives and the split of 7 : 2 : 1 are those of He and Chua, "Neural Factorization Machines",
SIGIR 2017, in the form in which the BARS benchmark publishes them (Zhu et al., SIGIR 2022): train.csv, valid.csv and
test.csv with the header label, user, item, daytime, weekday, isweekend, homework, cost, weather, country, city; values
are codes, distinct over all columns. 288,609 rows; labels 0 and 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal

import polars as pl

from autocompress.data.delimited import binary, text_chunks
from autocompress.data.download import Remote
from autocompress.data.public import PublicSet, credit, public_file
from autocompress.data.source import SPLITS
from autocompress.data.split import ByColumn, Splitting
from autocompress.digest import file_digest, json_digest
from autocompress.schema import Field, Frozen, Schema, Task

FIELDS = (
    "user", "item", "daytime", "weekday", "isweekend", "homework", "cost", "weather", "country", "city",
)  # fmt: skip
ARCHIVE = Remote(url="https://zenodo.org/records/5700987/files/Frappe_x1.zip")
CHECKSUMS = {
    "train.csv": "ba7306e6c4fc19dd2cd84f2f0596d158",
    "valid.csv": "88d51bf2173505436d3a8f78f2a59da8",
    "test.csv": "3470f6d32713dc5f7715f198ca7c612a",
}
"""md5 of the files, as the benchmark states them."""


class Frappe(Frozen):
    """`root` holds train.csv, valid.csv and test.csv; without it they are downloaded."""

    kind: Literal["frappe"] = "frappe"
    synthetic: ClassVar[bool] = False
    licence: ClassVar[str] = "for research; no licence is stated"
    citation: ClassVar[str] = "Baltrunas et al., Frappe, arXiv:1505.03014, 2015"
    address: ClassVar[str] = "https://zenodo.org/records/5700987"
    root: Path | None = None

    def row_schema(self) -> Schema:
        """Ten fields, one task `click`."""
        fields = tuple(Field(name=name) for name in FIELDS)
        return Schema(fields=fields, tasks=(Task(name="click", label="label"),), group="user")

    def splitting(self) -> Splitting:
        """As published, by file."""
        return ByColumn(column="split")

    def content_digest(self) -> str:
        """Of the bytes of the three files."""
        return json_digest([file_digest(path) for path in self._paths()])

    def notes(self) -> list[str]:
        """Where it is from: nothing is guessed."""
        return credit(self)

    def chunks(self) -> Iterator[pl.DataFrame]:
        """`label` Int8, the fields and `split` (train, valid, test) text."""
        for split, path in zip(SPLITS, self._paths(), strict=True):

            def typed(frame: pl.DataFrame, before: int, path: Path = path, split: str = split) -> pl.DataFrame:
                return frame.with_columns(binary(frame, "label", path, before), split=pl.lit(split))

            yield from text_chunks(path, ("label", *FIELDS), ",", True, typed)

    def _paths(self) -> list[Path]:
        public = PublicSet(
            kind=self.kind,
            address=self.address,
            licence=self.licence,
            citation=self.citation,
            files=tuple(CHECKSUMS),
            archive=ARCHIVE,
            checksums=CHECKSUMS,
        )
        return [public_file(public, self.root, (name,)) for name in CHECKSUMS]
