"""Avazu click-through rates (Kaggle, 2014): ten days of mobile ad impressions, by the hour.

train.csv (as published: train.gz) has the header id, click, hour, C1, banner_pos, site_*, app_*, device_*, C14 to C21;
40,428,967 rows of 21 to 30 October 2014 in order of time. `id` is unique per row and no field; `hour` (YYMMDDHH) is the
time, and gives the fields `hour_of_day` and `weekday`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal

import polars as pl
from pydantic import Field as Limits

from autocompress.data.delimited import binary, hours, text_chunks
from autocompress.data.public import PublicSet, credit, public_file
from autocompress.data.split import ByTime, Splitting
from autocompress.digest import file_digest, json_digest
from autocompress.schema import Field, Frozen, Schema, Task

FILES = ("train.csv", "train.csv.gz", "train.gz")
CATEGORICAL = (
    "C1", "banner_pos", "site_id", "site_domain", "site_category", "app_id", "app_domain", "app_category", "device_id",
    "device_ip", "device_model", "device_type", "device_conn_type", *(f"C{number}" for number in range(14, 22)),
)  # fmt: skip
DERIVED = ("hour_of_day", "weekday")


class Avazu(Frozen):
    """`root` holds train.csv or train.gz."""

    kind: Literal["avazu"] = "avazu"
    synthetic: ClassVar[bool] = False
    licence: ClassVar[str] = "rules of the Kaggle competition"
    citation: ClassVar[str] = "Avazu, Click-Through Rate Prediction, Kaggle, 2014"
    address: ClassVar[str] = "https://www.kaggle.com/c/avazu-ctr-prediction/data"
    root: Path | None = None
    min_count: int = Limits(2, ge=1)
    split: Splitting = ByTime()

    def row_schema(self) -> Schema:
        """23 fields, one task `click`, time `hour`."""
        fields = tuple(Field(name=name, min_count=self.min_count) for name in (*DERIVED, *CATEGORICAL))
        return Schema(fields=fields, tasks=(Task(name="click", label="click"),), time="hour")

    def splitting(self) -> Splitting:
        """By time: with the shares 0.1, the last day but one (about) and the last."""
        return self.split

    def content_digest(self) -> str:
        """Of the bytes of the file."""
        return json_digest(file_digest(self._path()))

    def notes(self) -> list[str]:
        """Where it is from: nothing is guessed."""
        return credit(self)

    def chunks(self) -> Iterator[pl.DataFrame]:
        """`click` and the two derived fields Int8, `hour` Datetime, the rest text."""
        path = self._path()

        def typed(frame: pl.DataFrame, before: int) -> pl.DataFrame:
            rows = frame.with_columns(binary(frame, "click", path, before), hours(frame, "hour", path, before))
            return rows.with_columns(hour_of_day=pl.col("hour").dt.hour(), weekday=pl.col("hour").dt.weekday())

        yield from text_chunks(path, ("click", "hour", *CATEGORICAL), ",", True, typed)

    def _path(self) -> Path:
        public = PublicSet(
            kind=self.kind, address=self.address, licence=self.licence, citation=self.citation, files=("train.gz",)
        )
        return public_file(public, self.root, FILES)
