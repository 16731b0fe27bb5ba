"""Retrieval over the whole catalogue: where the items that a user took stand among all items."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from autocompress.data.inputs import Inputs
from autocompress.data.source import SPLITS, Split
from autocompress.data.store import Dataset
from autocompress.errors import UserError, not_allowed
from autocompress.measure.group_metrics import TOP, PerGroup, ideal_gains

USER, ITEM = "user_vector", "item_vector"
"""Outputs of a model whose first logit rises with their product."""
SCORES = 2**21
"""Of so many pairs of user and item together: what a processor's cache holds is looked at faster."""
LEAST_USERS = 16
BLOCK = 64
"""Items whose best score stands for all of them where the best are sought."""

Run = Callable[[Inputs], Mapping[str, NDArray[np.float32]]]
"""Inputs -> outputs by name, of a file or of a model."""
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Catalogue:
    """`items`: a row per item that training knows; `users`: a row per user, with what is known of them.

    `wanted` and `taken` (user, item) are positions, int64 (n, 2): what a user took in the split (item -1: one that
    training never saw, which nothing can find), and what before it, which is not to be found again.
    """

    items: Inputs
    users: Inputs
    wanted: Ints
    taken: Ints

    def ranks(self, run: Run, top: int = TOP) -> Ints:
        """How many items stand before each wanted one, int64; ties count against it. Exact below `top`, some number
        from there on elsewhere. `UserError` without vectors."""
        items, users = run(self.items), run(self.users)
        if ITEM not in items:
            raise UserError("metric: this kind of model has no vectors; teacher=two_tower and sasrec have")
        item, user = np.ascontiguousarray(items[ITEM].T), users[USER]
        found = np.full(len(self.wanted), item.shape[1], dtype=np.int64)
        chunk = max(LEAST_USERS, SCORES // item.shape[1])
        buffer = np.empty((min(chunk, len(user)), item.shape[1]), dtype=np.float32)
        for start in range(0, len(user), chunk):
            several = min(chunk, len(user) - start)
            scores = np.matmul(user[start : start + several], item, out=buffer[:several])
            before = _of_users(self.taken, start, len(scores))
            scores[before[:, 0] - start, before[:, 1]] = -np.inf
            places = _rows_of_users(self.wanted, start, len(scores))
            places = places[self.wanted[places, 1] >= 0]
            of, what = self.wanted[places, 0] - start, self.wanted[places, 1]
            own = scores[of, what]
            # counting costs a pass over all items for every pair: only for those that may stand among the first
            least = _no_more_than_best(scores, top)
            near = own >= least[of]
            places, of, own = places[near], of[near], own[near]
            for block in range(0, len(places), chunk):  # a user may want many items
                part = slice(block, block + chunk)
                found[places[part]] = (scores[of[part]] >= own[part, None]).sum(axis=1) - 1
        return found

    def values(self, run: Run) -> dict[str, PerGroup]:
        """`catalogue_ndcg@10` and `catalogue_recall@10` of each user."""
        ranks, user = self.ranks(run), self.wanted[:, 0]
        number = len(self.users)
        many = np.bincount(user, minlength=number).astype(np.float64)
        hits = ranks < TOP
        found = np.bincount(user, hits.astype(np.float64), minlength=number)
        gains = np.bincount(user, np.where(hits, 1.0 / np.log2(ranks + 2.0), 0.0), minlength=number)
        there = np.ones(number)
        return {
            f"catalogue_ndcg@{TOP}": PerGroup(gains / ideal_gains(many), there),
            f"catalogue_recall@{TOP}": PerGroup(found / many, there),
        }


def catalogue_of(dataset: Dataset, split: Split, item_field: str, users: int | None = None) -> Catalogue:
    """The catalogue of the ids of `item_field`, and up to `users` (None: all) evenly spread users of `split`.

    `UserError` where there is no such field, no group column (the users), or more than one task.
    """
    schema = dataset.schema
    if item_field not in schema.field_names:
        raise not_allowed(f"catalogue={item_field}: no field", item_field, schema.field_names)
    if len(schema.tasks) > 1:
        raise UserError(f"catalogue={item_field}: the data have {len(schema.tasks)} tasks; retrieval knows one")
    field = schema.field_names.index(item_field)
    ids, first = np.unique(dataset.ids("train")[:, field], return_index=True)
    rows, ids = first[ids > 0], ids[ids > 0]
    place = np.full(dataset.encoder.rows[field], -1, dtype=np.int64)
    place[ids] = np.arange(len(ids))

    def positives(part: Split) -> tuple[Ints, NDArray[np.int32], Ints]:
        of = dataset.groups(part)
        if of is None:
            raise UserError(f"catalogue={item_field}: the data have no groups; name the users' column with data.group")
        there = np.flatnonzero(dataset.labels(part)[:, 0] == 1)
        return there, of[there], place[dataset.ids(part)[there, field]]

    there, of, wanted = positives(split)
    everyone, first_of, number = np.unique(of, return_index=True, return_inverse=True)
    chosen = np.arange(len(everyone))
    if users is not None and users < len(everyone):
        chosen = np.linspace(0, len(everyone) - 1, users).astype(np.int64)
    renumbered = np.full(len(everyone), -1, dtype=np.int64)
    renumbered[chosen] = np.arange(len(chosen))
    pairs = np.stack([renumbered[number], wanted], axis=1)
    before = []
    for earlier in SPLITS[: SPLITS.index(split)]:
        _, whose, what = positives(earlier)
        position = np.minimum(np.searchsorted(everyone, whose), len(everyone) - 1)
        user = np.where(everyone[position] == whose, renumbered[position], -1)
        before.append(np.stack([user, what], axis=1))
    taken = np.concatenate(before)
    return Catalogue(
        dataset.inputs("train")[rows],
        dataset.inputs(split)[there[first_of[chosen]]],
        _by_user(pairs[pairs[:, 0] >= 0]),
        _by_user(taken[(taken >= 0).all(axis=1)]),
    )


def _no_more_than_best(scores: NDArray[np.float32], top: int) -> NDArray[np.float32]:
    """Per row a number that the `top` best scores reach, and few others: the one at that place among the best of each
    block, which is found in a quarter of the time."""
    whole = torch.from_numpy(scores)
    blocks = scores.shape[1] // BLOCK
    best = whole[:, : blocks * BLOCK].reshape(len(whole), blocks, BLOCK).amax(2)
    few = torch.cat([best, whole[:, blocks * BLOCK :]], dim=1)
    found = whole if few.shape[1] < top else few
    least: NDArray[np.float32] = torch.topk(found, min(top, found.shape[1]), dim=1, sorted=False)[0].amin(1).numpy()
    return least


def _by_user(pairs: Ints) -> Ints:
    return pairs[np.argsort(pairs[:, 0], kind="stable")]


def _rows_of_users(pairs: Ints, start: int, count: int) -> Ints:
    first, last = np.searchsorted(pairs[:, 0], (start, start + count))
    return np.arange(first, last)


def _of_users(pairs: Ints, start: int, count: int) -> Ints:
    return pairs[_rows_of_users(pairs, start, count)]
