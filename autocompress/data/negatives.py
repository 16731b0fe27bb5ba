"""Negative sampling for implicit pairs: items that a user has no known pair with, drawn evenly or by popularity.

A draw is a hash of the seed, the number of the pair and that of the draw, so that it depends on nothing else.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field as Limits

from autocompress.data.hashing import mix
from autocompress.errors import UserError
from autocompress.schema import Frozen

TRIES = 200
"""Draws per negative: beyond, a user has pairs with nearly all that is drawn."""
Ids = NDArray[np.int64]


class Negatives(Frozen):
    """`each` negatives per pair. `by: popularity` draws an item in proportion to its pairs to the `power`.

    Power 1 follows popularity, 0.75 flattens it (Mikolov et al., NeurIPS 2013); `by: uniform` draws evenly.
    """

    by: Literal["uniform", "popularity"] = "uniform"
    each: int = Limits(4, ge=1, le=1000)
    power: float = Limits(0.75, ge=0.0, le=2.0)
    seed: int = Limits(0, ge=0)


def probabilities(counts: Ids, catalogue: NDArray[np.bool_], negatives: Negatives) -> NDArray[np.float64]:
    """Of each item (items,) to be drawn, summing to 1: 0 for what is not in the `catalogue` (items,).

    Popularity is one more than the item's `counts` of training pairs, so that an item that only stands in another split
    can be a negative, too: else to be new would tell the label.
    """
    power = negatives.power if negatives.by == "popularity" else 0.0
    shares: NDArray[np.float64] = np.where(catalogue, (counts + 1.0) ** power, 0.0)
    total: np.float64 = shares.sum()
    return shares / total


def log_q(counts: Ids) -> NDArray[np.float32]:
    """Log-probability (items,) of an item to stand in a batch of pairs, by its `counts` of pairs; -inf where 0."""
    with np.errstate(divide="ignore"):
        logs: NDArray[np.float32] = np.log(counts / counts.sum()).astype(np.float32)
    return logs


def draw(users: Ids, first: int, known: Ids, probability: NDArray[np.float64], negatives: Negatives) -> Ids:
    """Items (pairs, each) that the pair's user has no known pair with.

    `users` (pairs,) are those of the pairs number `first`, `first` + 1, ...; `known` holds `keys` of every known pair,
    ascending; `probability` (items,) is that of each item. `UserError` where a user has pairs with nearly every item.
    """
    number_of_items = len(probability)
    below = np.cumsum(probability)
    numbers = np.arange(first, first + len(users), dtype=np.uint64)[:, None] << np.uint64(20)
    pairs = (numbers + np.arange(negatives.each, dtype=np.uint64)).astype(np.uint64)
    seeds = mix(pairs ^ mix(np.array([negatives.seed], dtype=np.uint64))).ravel()
    owners = np.repeat(users, negatives.each)
    found = np.empty(len(owners), dtype=np.int64)
    left = np.arange(len(owners))
    for attempt in range(TRIES):
        uniform = mix(seeds[left] + np.uint64(attempt)) / np.float64(2**64)
        drawn = np.minimum(np.searchsorted(below, uniform * below[-1], side="right"), number_of_items - 1)
        found[left] = drawn
        asked = keys(owners[left], drawn, number_of_items)
        place = np.minimum(np.searchsorted(known, asked), len(known) - 1)
        left = left[known[place] == asked]
        if not len(left):
            return found.reshape(len(users), negatives.each)
    raise UserError(
        f"data.negatives: {TRIES} draws found no item that user {owners[left[0]]} has no pair with: "
        "draw with by: uniform, or leave such users out"
    )


def keys(users: Ids, items: Ids, number_of_items: int) -> Ids:
    """One number per pair, distinct for distinct pairs; int64."""
    return users * number_of_items + items
