"""Implicit pairs as rows with a label: each pair is a 1, followed by negatives of the same user with a 0."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from autocompress.data.negatives import Ids, Negatives, draw, keys, probabilities
from autocompress.data.source import CHUNK, SPLITS
from autocompress.schema import Field, Schema, Sequence, Task

USER, ITEM, LABEL, SPLIT, HISTORY = "user", "item", "label", "split", "history"


@dataclass(frozen=True)
class Pairs:
    """Who had to do with what: int64 (pairs,), ids from 0 to below `number_of_items`.

    `split`: 0 train, 1 valid, 2 test of each pair, uint8. `known`: `keys` of all pairs, ascending, those that are no
    rows among them. With `starts`, pairs follow one another in order of time within a user, whose first is number
    `starts[i]` for pair i.
    """

    users: Ids
    items: Ids
    split: NDArray[np.uint8]
    known: Ids
    number_of_items: int
    starts: Ids | None = None


def leave_two_out(users: Ids) -> tuple[NDArray[np.uint8], Ids]:
    """Split and `starts` of `Pairs` whose users, ascending, took one thing after another.

    The last pair of a user is for the test, the one before it for validation; users of one or two only train.
    """
    first = np.flatnonzero(np.diff(users, prepend=-1))
    lengths = np.diff(first, append=len(users))
    starts, length = np.repeat(first, lengths), np.repeat(lengths, lengths)
    left = starts + length - np.arange(len(users))
    return np.where(length < 3, 0, np.select([left == 1, left == 2], [2, 1], 0)).astype(np.uint8), starts


def pairs_schema(history: int = 0) -> Schema:
    """Fields `user` and `item`, task `interaction`, groups by user; with `history`, its last so many items."""
    listed = (Sequence(name=HISTORY, length=history, shares=ITEM),) if history else ()
    return Schema(
        fields=(Field(name=USER), Field(name=ITEM)),
        sequences=listed,
        tasks=(Task(name="interaction", label=LABEL),),
        group=USER,
    )


def known_pairs(users: Ids, items: Ids, number_of_items: int) -> Ids:
    """The keys of the pairs, ascending, each once."""
    return np.unique(keys(users, items, number_of_items))


def rows(pairs: Pairs, negatives: Negatives, history: int = 0) -> Iterator[pl.DataFrame]:
    """Frames of at most about `CHUNK` rows: user, item (Int64), `history` (lists of Int64), label (Int8), split (text).

    Negatives are drawn among all items that stand in some pair, by their popularity in the training pairs alone.
    """
    counts = np.bincount(pairs.items[pairs.split == 0], minlength=pairs.number_of_items)
    catalogue = np.bincount(pairs.items, minlength=pairs.number_of_items) > 0
    probability = probabilities(counts, catalogue, negatives)
    names = pl.Series("split", SPLITS)
    size = 1 + negatives.each
    step = max(1, CHUNK // size)
    for first in range(0, len(pairs.users), step):
        users, items = pairs.users[first : first + step], pairs.items[first : first + step]
        drawn = draw(users, first, pairs.known, probability, negatives)
        columns = {
            USER: np.repeat(users, size),
            ITEM: np.column_stack([items, drawn]).ravel(),
            LABEL: np.tile(np.arange(size) == 0, len(users)).astype(np.int8),
        }
        frame = pl.DataFrame(columns).with_columns(
            names.gather(np.repeat(pairs.split[first : first + step], size)).alias(SPLIT)
        )
        if history:
            before = _before(pairs, first, len(users), history)
            frame = frame.with_columns(before.gather(np.repeat(np.arange(len(users)), size)).alias(HISTORY))
        yield frame


def _before(pairs: Pairs, first: int, number: int, history: int) -> pl.Series:
    """The last `history` items before each pair, as lists."""
    assert pairs.starts is not None
    ends = np.arange(first, first + number)
    begins = np.maximum(pairs.starts[first : first + number], ends - history)
    lengths = ends - begins
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    places = np.arange(offsets[-1]) - np.repeat(offsets[:-1] - begins, lengths)
    entries = pl.DataFrame({"pair": np.repeat(np.arange(number), lengths), HISTORY: pairs.items[places]})
    lists = entries.group_by("pair", maintain_order=True).agg(HISTORY)
    every = pl.DataFrame({"pair": np.arange(number)}).join(lists, on="pair", how="left", maintain_order="left")
    return every[HISTORY].fill_null(pl.Series([[]], dtype=pl.List(pl.Int64)))
