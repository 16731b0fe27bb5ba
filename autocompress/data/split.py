"""Which rows are training, validation and test rows: by a column, by time, by group, in order or at random.

A split is decided from a row's own key (its time, its group, its number), never from where a chunk or a worker begins.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import AfterValidator, ValidationInfo, model_validator
from pydantic import Field as Limits

from autocompress.data.hashing import mix, text_hash
from autocompress.errors import UserError
from autocompress.schema import Frozen

TRAIN, VALID, TEST, NONE = 0, 1, 2, 255
Share = Annotated[float, Limits(gt=0.0, lt=1.0)]
Codes = NDArray[np.uint8]


def _leaves_something(test: float, info: ValidationInfo) -> float:
    valid = info.data.get("valid", 0.0)
    if valid + test >= 1:
        raise ValueError(f"valid={valid} and test={test} leave nothing to train on")
    return test


LastShare = Annotated[Share, AfterValidator(_leaves_something)]


class ByColumn(Frozen):
    """Values of `column` (as text) that make a row a training, validation or test row; other rows are left out."""

    by: Literal["column"] = "column"
    column: str
    train: tuple[str, ...] = ("train",)
    valid: tuple[str, ...] = ("valid",)
    test: tuple[str, ...] = ("test",)

    @model_validator(mode="after")
    def _values_stand_once(self) -> Self:
        listed = [*self.train, *self.valid, *self.test]
        if len(set(listed)) < len(listed):
            raise ValueError(f"a value of {self.column!r} stands in two splits")
        return self


class ByTime(Frozen):
    """The latest `test` share of the rows, the `valid` share before it; rows of one time stay together."""

    by: Literal["time"] = "time"
    valid: Share = 0.1
    test: LastShare = 0.1


class InOrder(Frozen):
    """As `ByTime`, with the order of the rows in the log for their time."""

    by: Literal["order"] = "order"
    valid: Share = 0.1
    test: LastShare = 0.1


class AtRandom(Frozen):
    """Each row by a hash of its number and `seed`."""

    by: Literal["random"] = "random"
    valid: Share = 0.1
    test: LastShare = 0.1
    seed: int = Limits(0, ge=0)


class ByGroup(Frozen):
    """All rows of one value of `column` (a user, a query) in one split, by a hash of the value and `seed`."""

    by: Literal["group"] = "group"
    column: str
    valid: Share = 0.1
    test: LastShare = 0.1
    seed: int = Limits(0, ge=0)


Splitting = Annotated[ByColumn | ByTime | InOrder | AtRandom | ByGroup, Limits(discriminator="by")]


def key_column(splitting: Splitting, time: str | None) -> str | None:
    """The column whose values decide, or None where the row's number does.

    `UserError` where rows shall be split by time and the schema has none.
    """
    match splitting:
        case ByColumn() | ByGroup():
            return splitting.column
        case ByTime():
            if time is None:
                raise UserError("data.split.by=time needs a time column: set data.time, or split by random or order")
            return time
        case _:
            return None


def assign(splitting: Splitting, key: pl.Series | None, keep: NDArray[np.bool_]) -> Codes:
    """`TRAIN`, `VALID`, `TEST` or `NONE` of every row, uint8 (rows,); rows that are not in `keep` are `NONE`.

    `key` holds the values of `key_column`, one per row. `UserError` where a split would stay empty.
    """
    match splitting:
        case ByColumn():
            assert key is not None
            found = _by_value(splitting, key)
        case ByTime():
            assert key is not None
            found = _latest(key.to_physical().cast(pl.Float64).to_numpy(), keep, splitting.valid, splitting.test)
        case InOrder():
            found = _latest(np.arange(len(keep), dtype=np.float64), keep, splitting.valid, splitting.test)
        case AtRandom():
            numbers = np.arange(len(keep), dtype=np.uint64)
            found = _by_hash(numbers, splitting.seed, splitting.valid, splitting.test)
        case ByGroup():
            assert key is not None
            found = _by_hash(text_hash(key).astype(np.uint64), splitting.seed, splitting.valid, splitting.test)
    found = np.where(keep, found, NONE).astype(np.uint8)
    for code, name in enumerate(("train", "valid", "test")):
        if not (found == code).any():
            raise UserError(f"the {name} split is empty: no row falls into it (data.split: {splitting.by})")
    return found


def _by_value(splitting: ByColumn, key: pl.Series) -> Codes:
    listed = (splitting.train, splitting.valid, splitting.test)
    words = {word: code for code, values in enumerate(listed) for word in values}
    text = key.cast(pl.String)
    return text.replace_strict(words, default=NONE, return_dtype=pl.UInt8).fill_null(NONE).to_numpy()


def _latest(times: NDArray[np.float64], keep: NDArray[np.bool_], valid: float, test: float) -> Codes:
    known = np.sort(times[keep & ~np.isnan(times)])
    if not len(known):
        return np.full(len(times), NONE, dtype=np.uint8)
    first_valid, first_test = (
        known[min(len(known) - 1, round(len(known) * share))] for share in (1 - valid - test, 1 - test)
    )
    codes = (times >= first_valid).astype(np.uint8) + (times >= first_test).astype(np.uint8)
    return np.where(np.isnan(times), NONE, codes).astype(np.uint8)


def _by_hash(keys: NDArray[np.uint64], seed: int, valid: float, test: float) -> Codes:
    uniform = mix(keys ^ mix(np.array([seed], dtype=np.uint64))) / np.float64(2**64)
    return (uniform >= 1 - valid - test).astype(np.uint8) + (uniform >= 1 - test).astype(np.uint8)
