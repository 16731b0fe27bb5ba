"""Synthetic shop impressions in which the history says what a user wants today: the default of `search=ecommerce`.

Every user looks at things of their own accord; what they look at follows an interest (a category) that lasts a while
and then gives way to another. An item that is shown is clicked when it resembles something that was looked at lately:
the logit holds the log-sum-exp of its similarities to the last views, so a mean of the history blurs what a target
attention finds. Purchases follow clicks, by price and by the same likeness. The user's id knows taste, not the moment.

The constants are frozen: changing one changes every stored result, so it takes a new `VERSION`.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import ClassVar, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field as Limits

from autocompress.data.simulated import Floats, Ints, by_days, parts_of_days, pick, sigmoid
from autocompress.data.source import TRUTH
from autocompress.data.split import Splitting
from autocompress.digest import json_digest
from autocompress.schema import Field, Frozen, Schema, Sequence, Task

VERSION = 1
RANK = 16
USERS, ITEMS, CATEGORIES, BRANDS, CITIES = 20_000, 20_000, 200, 500, 300
VIEWS, RECENT, VIEWS_A_DAY = 20, 8, 3
"""Views that a row lists, those of them that still matter, and how many a user adds each day."""
STAYS = 0.85
"""Probability that the next view follows the same interest."""


class ShopSimulator(Frozen):
    """`rows` impressions over `days` days; the last day is the test split, the one before it validation."""

    kind: Literal["shop_simulator"] = "shop_simulator"
    synthetic: ClassVar[bool] = True
    rows: int = Limits(600_000, ge=1_000)
    days: int = Limits(8, ge=3, le=60)
    seed: int = 1

    def row_schema(self) -> Schema:
        """Nine fields, two lists (views and their categories), tasks `click` and, only where clicked, `purchase`."""
        ids = ("user_id", "age", "city", "item_id", "category", "brand", "hour", "position")
        return Schema(
            fields=(*(Field(name=name, min_count=2) for name in ids), Field(name="price", kind="numeric")),
            sequences=(
                Sequence(name="viewed_items", length=VIEWS, shares="item_id"),
                Sequence(name="viewed_categories", length=VIEWS, shares="category"),
            ),
            tasks=(Task(name="click", label="click"), Task(name="purchase", label="purchase", parent="click")),
            time="day",
            group="user_id",
        )

    def content_digest(self) -> str:
        """Of the configuration and `VERSION`: the same two make the same rows."""
        return json_digest({"version": VERSION, **self.model_dump(mode="json")})

    def splitting(self) -> Splitting:
        """By days."""
        return by_days(self.days)

    def notes(self) -> list[str]:
        """None: nothing is guessed."""
        return []

    def chunks(self) -> Iterator[pl.DataFrame]:
        """Impressions in order of days, with true probabilities; a long day comes in several parts."""
        world = _world(self.days, self.seed)
        for day, part, _, size in parts_of_days(self.rows, self.days):
            yield _impressions(day, size, world, [self.seed, 1, day, part])


class _World:
    """Everything that is fixed before the first impression; drawn from its own stream of the seed."""

    def __init__(self, days: int, seed: int) -> None:
        draw = np.random.default_rng([seed, 0])

        def latent(ids: int) -> Floats:
            return draw.standard_normal((ids, RANK), dtype=np.float32)

        category = latent(CATEGORIES)
        # items of a category are neighbours, so that a category's items are a slice
        self.category = np.sort(draw.integers(0, CATEGORIES, ITEMS))
        self.first = np.searchsorted(self.category, np.arange(CATEGORIES + 1))
        self.brand = (self.category * 7 + draw.integers(0, 12, ITEMS)) % BRANDS
        brand = latent(BRANDS)
        self.item = 0.7 * category[self.category] + 0.4 * brand[self.brand] + 0.6 * latent(ITEMS)
        self.item_bias = 0.5 * draw.standard_normal(ITEMS, dtype=np.float32)
        self.price = np.exp(0.7 * draw.standard_normal(ITEMS) + 0.3 * category[self.category, 0]).astype(np.float32)
        self.popularity = np.cumsum(draw.permutation(1.0 / np.arange(1, ITEMS + 1) ** 0.9))

        self.age, self.city = draw.integers(0, 8, USERS), (CITIES * draw.random(USERS) ** 2).astype(np.int64)
        self.user = 0.3 * latent(8)[self.age] + 0.3 * latent(CITIES)[self.city] + 0.6 * latent(USERS)
        self.thrift = 0.3 + 0.3 * draw.random(USERS, dtype=np.float32)
        self.activity = np.cumsum(draw.permutation(1.0 / np.arange(1, USERS + 1) ** 0.8))

        steps = VIEWS + VIEWS_A_DAY * days
        # interests are nearer to a user's taste than chance would have them: the best of a few categories
        wanted = (self.user @ category.T).argpartition(-30, axis=1)[:, -30:]
        fresh = np.take_along_axis(wanted, draw.integers(0, 30, (USERS, steps)), axis=1)
        last = np.maximum.accumulate(
            np.where((draw.random((USERS, steps)) > STAYS) | (np.arange(steps) == 0), np.arange(steps), 0), axis=1
        )
        interest = np.take_along_axis(fresh, last, axis=1)
        self.views = self.of_category(interest, draw.random((USERS, steps)))

    def of_category(self, categories: Ints, uniform: NDArray[np.float64]) -> Ints:
        """An item of each category; the first ones of a category are the most popular."""
        first = self.first[categories]
        return first + ((self.first[categories + 1] - first) * uniform**2).astype(np.int64)


@lru_cache(maxsize=2)
def _world(days: int, seed: int) -> _World:
    return _World(days, seed)


def _impressions(day: int, rows: int, world: _World, stream: list[int]) -> pl.DataFrame:
    draw = np.random.default_rng(stream)
    user = pick(world.activity, draw.random(rows))
    now = VIEWS + VIEWS_A_DAY * day + draw.integers(0, VIEWS_A_DAY, rows)
    viewed = world.views[user[:, None], now[:, None] - VIEWS + np.arange(VIEWS)]
    # half of what is shown was chosen for the moment: something like a recent view
    like = np.take_along_axis(viewed, draw.integers(VIEWS - RECENT, VIEWS, (rows, 1)), axis=1)[:, 0]
    related = world.of_category(world.category[like], draw.random(rows))
    item = np.where(draw.random(rows) < 0.5, related, pick(world.popularity, draw.random(rows)))
    hour, position = draw.integers(0, 24, rows), draw.integers(0, 10, rows)

    items, price = world.item[item], np.log(world.price[item])
    likeness = np.einsum("nvk,nk->nv", world.item[viewed[:, -RECENT:]], items) / np.float32(RANK)
    moment = np.log(np.exp(4.0 * likeness).mean(axis=1)).astype(np.float32)
    taste = np.einsum("nk,nk->n", world.user[user], items) / np.float32(RANK)
    click_logit = (
        -2.4 + 1.3 * moment + 2.0 * taste + world.item_bias[item] - world.thrift[user] * price - 0.1 * position
    )
    purchase_logit = -1.2 + 0.6 * moment + 1.0 * taste - 2.0 * world.thrift[user] * price + 0.02 * hour
    click_probability, purchase_probability = sigmoid(click_logit), sigmoid(purchase_logit)
    click = draw.random(rows) < click_probability
    purchase = click & (draw.random(rows) < purchase_probability)
    lists = {"viewed_items": viewed, "viewed_categories": world.category[viewed]}
    return pl.DataFrame(
        {
            "day": np.full(rows, day, dtype=np.int16),
            "user_id": user, "age": world.age[user], "city": world.city[user],
            "item_id": item, "category": world.category[item], "brand": world.brand[item], "price": world.price[item],
            "hour": hour, "position": position,
            **{name: pl.Series(values.astype(np.int32)).arr.to_list() for name, values in lists.items()},
            "click": click.astype(np.int8), "purchase": purchase.astype(np.int8),
            f"{TRUTH}click": click_probability,
            f"{TRUTH}purchase": click_probability * purchase_probability,
        },
        schema_overrides={name: pl.Int32 for name in ("user_id", "item_id", "category", "brand")},
    )  # fmt: skip
