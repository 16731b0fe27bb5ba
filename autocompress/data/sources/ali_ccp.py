"""Ali-CCP: impressions of Taobao's recommender with clicks and purchases, for entire-space conversion models.

Ma et al., "Entire Space Multi-Task Model", SIGIR 2018. Published as two files per part, without headers.
sample_skeleton_{train,test}.csv: sample, click, purchase, index of the common features, number of features, features.
common_features_{train,test}.csv: index, number of features, features (of the user, shared by many samples). Features
are `field \\x02 id \\x03 value`, parted by \\x01. 42.3 M training and 43.0 M test samples. Of a field with several ids
(the behaviours of a user) the first is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import polars as pl
from pydantic import Field as Limits

from autocompress.data.delimited import binary, text_chunks
from autocompress.data.hashing import mix
from autocompress.data.public import PublicSet, credit, public_file
from autocompress.data.split import ByColumn, Share, Splitting
from autocompress.digest import file_digest, json_digest
from autocompress.schema import Field, Frozen, Schema, Task

USER_FIELDS = (
    "101", "109_14", "110_14", "127_14", "150_14", "121", "122", "124", "125", "126", "127", "128", "129",
)  # fmt: skip
"""Of the common features: the user, what they did with categories, shops, brands and intentions, and who they are."""
SAMPLE_FIELDS = ("205", "206", "207", "210", "216", "508", "509", "702", "853", "301")
"""Of the sample: the item, its category, shop, intentions and brand, combinations with the user, and the position."""
SKELETON = ("sample", "click", "conversion", "common", "number", "features")
COMMON = ("common", "number", "features")
PARTS = ("train", "test")


class AliCcp(Frozen):
    """`root` holds the four files, plain or gz. `valid` is the share of the training file for validation."""

    kind: Literal["ali_ccp"] = "ali_ccp"
    synthetic: ClassVar[bool] = False
    licence: ClassVar[str] = "for research, under the terms of Tianchi"
    citation: ClassVar[str] = "Ma et al., Entire Space Multi-Task Model, SIGIR 2018"
    address: ClassVar[str] = "https://tianchi.aliyun.com/dataset/408"
    root: Path | None = None
    min_count: int = Limits(10, ge=1)
    valid: Share = 0.1
    seed: int = Limits(0, ge=0)

    def row_schema(self) -> Schema:
        """23 fields; tasks `click` and `conversion`, which needs a click."""
        fields = tuple(Field(name=f"f_{name}", min_count=self.min_count) for name in (*USER_FIELDS, *SAMPLE_FIELDS))
        tasks = (Task(name="click", label="click"), Task(name="conversion", label="conversion", parent="click"))
        return Schema(fields=fields, tasks=tasks)

    def splitting(self) -> Splitting:
        """The test file is the test split; validation rows are drawn from the training file."""
        return ByColumn(column="split")

    def content_digest(self) -> str:
        """Of the bytes of the four files, and of how validation rows are drawn."""
        files = [file_digest(self._path(name, part)) for part in PARTS for name in ("skeleton", "common")]
        return json_digest({"files": files, "valid": self.valid, "seed": self.seed})

    def notes(self) -> list[str]:
        """Where it is from: nothing is guessed."""
        return credit(self)

    def chunks(self) -> Iterator[pl.DataFrame]:
        """Labels Int8, fields text (null where a sample lacks one), `split` (train, valid, test)."""
        for part in PARTS:
            path, users = self._path("skeleton", part), self._users(part)

            def typed(
                frame: pl.DataFrame, before: int, path: Path = path, users: pl.DataFrame = users, part: str = part
            ) -> pl.DataFrame:
                labels = [binary(frame, name, path, before) for name in ("click", "conversion")]
                rows = frame.select(*labels, "common", *map(_first_id, SAMPLE_FIELDS), self._split(part, before, frame))
                return rows.join(users, on="common", how="left", maintain_order="left").drop("common")

            yield from text_chunks(path, SKELETON, ",", False, typed)

    def _users(self, part: str) -> pl.DataFrame:
        """The common features of a part: one row per index, small beside the samples."""
        rows = text_chunks(
            self._path("common", part),
            COMMON,
            ",",
            False,
            lambda frame, _: frame.select("common", *map(_first_id, USER_FIELDS)),
        )
        return pl.concat(rows).unique("common", keep="first", maintain_order=True)

    def _split(self, part: str, before: int, frame: pl.DataFrame) -> pl.Series:
        if part == "test":
            return pl.Series("split", ["test"]).new_from_index(0, frame.height)
        rows = np.arange(before, before + frame.height, dtype=np.uint64) + np.uint64(self.seed << 40)
        return pl.Series("split", np.where(mix(rows) / np.float64(2**64) < self.valid, "valid", "train"))

    def _path(self, name: str, part: str) -> Path:
        names = {"skeleton": f"sample_skeleton_{part}.csv", "common": f"common_features_{part}.csv"}
        every = tuple(f"{start}_{each}.csv" for each in PARTS for start in ("sample_skeleton", "common_features"))
        public = PublicSet(
            kind=self.kind, address=self.address, licence=self.licence, citation=self.citation, files=every
        )
        return public_file(public, self.root, (names[name], f"{names[name]}.gz"))


def _first_id(field: str) -> pl.Expr:
    """The first id of a field among the features of a line; null where it has none."""
    return pl.col("features").str.extract(f"(?:^|\x01){re.escape(field)}\x02([^\x03]*)\x03").alias(f"f_{field}")
