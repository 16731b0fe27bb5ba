"""What every source of rows offers, and how a configured one is recognised."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Protocol, cast, get_args

import polars as pl
from pydantic import PlainSerializer, PlainValidator

from autocompress import family
from autocompress.schema import Schema

Split = Literal["train", "valid", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)
TRUTH = "true_probability_of_"
"""Prefix of the columns in which a simulator states a label's true probability; never a field."""

PACKAGE = "autocompress.data.sources"


class RowSource(Protocol):
    """A frozen pydantic model with a `kind`; everything it yields is determined by `content_digest`."""

    @property
    def kind(self) -> str:
        """Its name in `data=<kind>` and in study names."""

    @property
    def synthetic(self) -> bool:
        """Whether the rows are made up."""

    def row_schema(self) -> Schema:
        """Fields and tasks. `UserError` where the configuration names a missing column."""

    def content_digest(self) -> str:
        """Changes whenever a row would. `UserError` naming `data.root` where a file is missing."""

    def read(self, split: Split) -> pl.DataFrame:
        """Rows of a split after joins and cleaning, before encoding: every field and label of the schema.

        Labels are Int8 in {0, 1}. Order is the log's. A simulator adds `TRUTH + task` columns (Float32).
        """

    def model_dump(self, *, mode: str = "python") -> dict[str, Any]:
        """The configuration as plain data."""


def parse_source(value: object) -> RowSource:
    """A source from its configuration; `ValueError` naming the known kinds where there is none."""
    if isinstance(value, Mapping) or value is None:
        return cast(RowSource, family.parse(PACKAGE, value))
    return cast(RowSource, value)


Source = Annotated[
    RowSource, PlainValidator(parse_source), PlainSerializer(lambda source: source.model_dump(mode="json"))
]
