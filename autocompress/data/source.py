"""What every source of rows offers, and how a configured one is recognised."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Protocol, cast, get_args

import polars as pl
from pydantic import PlainSerializer, PlainValidator

from autocompress import family
from autocompress.data.split import Splitting
from autocompress.schema import Schema

Split = Literal["train", "valid", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)
TRUTH = "true_probability_of_"
"""Prefix of the columns in which a simulator states a label's true probability; never a field."""
CHUNK = 500_000
"""Rows that a source yields at a time, at most: few enough for memory, enough to keep both cores busy."""

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
        """Inputs and tasks. `UserError` where the configuration names a missing column."""

    def splitting(self) -> Splitting:
        """Which rows are training, validation and test rows."""

    def content_digest(self) -> str:
        """Changes whenever a row would. `UserError` naming `data.root` where a file is missing."""

    def notes(self) -> list[str]:
        """Lines that a person should read before the search starts; none where nothing was guessed."""

    def chunks(self) -> Iterator[pl.DataFrame]:
        """All rows after joins, before cleaning, splitting and encoding; at most about `CHUNK` rows at a time.

        Every frame has the same columns and types: inputs, labels, keys of the schema and the column that `splitting`
        names, if any. Labels are Int8 in {0, 1}, or null where unknown. A simulator adds `TRUTH + task` (Float32).
        Each call starts anew and gives the same rows in the same order.
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
