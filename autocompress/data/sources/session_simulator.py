"""Synthetic histories of what users took: the default of `search=personalized` and of `search=retrieval`.

Items lie in clusters; every item has a few successors that often follow it, most of them in its own cluster. A user has
a few favourite clusters, stays in one for a while, and takes a successor of the last item, or something popular of the
cluster. So the order of a history tells what comes next, and a user's favourites tell what may come at all.

The constants are frozen: changing one changes every stored result, so it takes a new `VERSION`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field as Limits

from autocompress.data.implicit import Pairs, known_pairs, leave_two_out, pairs_schema, rows
from autocompress.data.negatives import Negatives
from autocompress.data.simulated import Ints
from autocompress.data.split import ByColumn, Splitting
from autocompress.digest import json_digest
from autocompress.schema import Frozen, Schema

VERSION = 1
CLUSTERS, SUCCESSORS, FAVOURITES = 80, 12, 4
STAYS, FOLLOWS = 0.85, 0.6
SHORTEST, LONGEST = 6, 40


class SessionSimulator(Frozen):
    """`users` with 6 to 40 of `items` each; the last item of each is for the test, the one before it for validation."""

    kind: Literal["session_simulator"] = "session_simulator"
    synthetic: ClassVar[bool] = True
    users: int = Limits(6_000, ge=50)
    items: int = Limits(3_000, ge=200)
    seed: int = 1
    history: int = Limits(20, ge=1, le=1000)
    negatives: Negatives = Negatives()

    def row_schema(self) -> Schema:
        """Fields `user` and `item`, the list `history` in the ids of `item`, task `interaction`, groups by user."""
        return pairs_schema(self.history)

    def splitting(self) -> Splitting:
        """By the place of an item in its user's history."""
        return ByColumn(column="split")

    def content_digest(self) -> str:
        """Of the configuration and `VERSION`: the same two make the same rows."""
        return json_digest({"version": VERSION, **self.model_dump(mode="json")})

    def notes(self) -> list[str]:
        """None: nothing is guessed."""
        return []

    def chunks(self) -> Iterator[pl.DataFrame]:
        """user, item (Int64), history (lists of Int64, oldest first), label (Int8), split (train, valid, test)."""
        draw = np.random.default_rng([self.seed, 0])
        cluster = np.sort(draw.integers(0, CLUSTERS, self.items))
        first = np.searchsorted(cluster, np.arange(CLUSTERS + 1))
        size = np.maximum(np.diff(first), 1)

        def of_cluster(clusters: Ints, uniform: NDArray[np.float64]) -> Ints:
            # the first items of a cluster are its popular ones
            found: Ints = first[clusters] + (size[clusters] * uniform**2).astype(np.int64)
            return np.minimum(found, self.items - 1)

        near = of_cluster(np.repeat(cluster[:, None], SUCCESSORS, axis=1), draw.random((self.items, SUCCESSORS)))
        far = draw.integers(0, self.items, (self.items, SUCCESSORS))
        successors = np.where(draw.random((self.items, SUCCESSORS)) < 0.8, near, far)
        favourites = draw.integers(0, CLUSTERS, (self.users, FAVOURITES))
        lengths = draw.integers(SHORTEST, LONGEST + 1, self.users)

        taken = np.empty((self.users, LONGEST), dtype=np.int64)
        mood = favourites[:, 0]
        for step in range(LONGEST):  # of all users at once
            fresh = favourites[np.arange(self.users), draw.integers(0, FAVOURITES, self.users)]
            mood = np.where(draw.random(self.users) < STAYS, mood, fresh)
            chosen = of_cluster(mood, draw.random(self.users))
            if step:
                # of a dozen successors the first are the usual ones
                place = (SUCCESSORS * draw.random(self.users) ** 2).astype(np.int64)
                following = successors[taken[:, step - 1], place]
                chosen = np.where(draw.random(self.users) < FOLLOWS, following, chosen)
            taken[:, step] = chosen
        users = np.repeat(np.arange(self.users), lengths)
        items = taken[np.arange(LONGEST) < lengths[:, None]]
        split, starts = leave_two_out(users)
        pairs = Pairs(users, items, split, known_pairs(users, items, self.items), self.items, starts)
        yield from rows(pairs, self.negatives, self.history)
