"""Synthetic feed of short articles whose text says what they are: the default of `search=content`.

Articles live for a day or two, so most ids of the test day were never seen: what carries over is the vector of an
article's text, a noisy picture of its latent topic made by a fixed network. Users like topics; a click follows topic
and freshness, staying to the end follows a click, by length and by topic again.

The constants are frozen: changing one changes every stored result, so it takes a new `VERSION`.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import ClassVar, Literal

import numpy as np
import polars as pl
from pydantic import Field as Limits

from autocompress.data.simulated import Floats, by_days, parts_of_days, pick, sigmoid, zipf
from autocompress.data.source import TRUTH
from autocompress.data.split import Splitting
from autocompress.digest import json_digest
from autocompress.schema import Field, Frozen, Schema, Task, Vector

VERSION = 1
RANK, TEXT = 12, 32
USERS, AUTHORS, A_DAY, CITIES = 6_000, 500, 2_000, 100


class FeedSimulator(Frozen):
    """`rows` impressions over `days` days; the last day is the test split, the one before it validation."""

    kind: Literal["feed_simulator"] = "feed_simulator"
    synthetic: ClassVar[bool] = True
    rows: int = Limits(600_000, ge=1_000)
    days: int = Limits(8, ge=3, le=60)
    seed: int = 1

    def row_schema(self) -> Schema:
        """Eight fields, the vector `text`, tasks `click` and, only where clicked, `finish`."""
        ids = ("user_id", "city", "article_id", "author", "hour", "position")
        numbers = ("length", "age_hours")
        return Schema(
            fields=(
                *(Field(name=name, min_count=2) for name in ids),
                *(Field(name=name, kind="numeric") for name in numbers),
            ),
            vectors=(Vector(name="text", width=TEXT),),
            tasks=(Task(name="click", label="click"), Task(name="finish", label="finish", parent="click")),
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

        self.city = (CITIES * draw.random(USERS) ** 2).astype(np.int64)
        self.user = 0.8 * latent(CITIES)[self.city] + 0.6 * latent(USERS)
        self.patience = draw.standard_normal(USERS, dtype=np.float32)
        self.activity = np.cumsum(draw.permutation(zipf(USERS, 0.8)))
        # two days of articles before the first one are still read on it
        articles = A_DAY * (days + 2)
        author = latent(AUTHORS)
        self.author = draw.choice(AUTHORS, articles, p=zipf(AUTHORS, 0.7))
        self.topic = 0.6 * author[self.author] + 0.8 * latent(articles)
        self.appeal = 0.5 * draw.standard_normal(articles, dtype=np.float32)
        self.length = np.exp(5.5 + 0.6 * draw.standard_normal(articles, dtype=np.float32))
        hidden, out = (draw.standard_normal(shape, dtype=np.float32) for shape in ((RANK, 64), (64, TEXT)))
        seen = np.tanh(self.topic @ hidden / np.float32(np.sqrt(RANK))) @ out / np.float32(8.0)
        self.text = (seen + 0.3 * draw.standard_normal((articles, TEXT), dtype=np.float32)).astype(np.float32)
        self.popularity = draw.permutation(zipf(articles, 0.6))


@lru_cache(maxsize=2)
def _world(days: int, seed: int) -> _World:
    return _World(days, seed)


def _impressions(day: int, rows: int, world: _World, stream: list[int]) -> pl.DataFrame:
    draw = np.random.default_rng(stream)
    user = pick(world.activity, draw.random(rows))
    # articles of the day and of the two days before it, the newest most
    born = (np.arange(len(world.author)) // A_DAY) - 2
    alive = world.popularity * (born <= day) * (born >= day - 2) * 0.5 ** np.maximum(day - born, 0)
    article = pick(np.cumsum(alive), draw.random(rows))
    hour, position = draw.integers(0, 24, rows), draw.integers(0, 10, rows)
    age = (24 * (day - born[article]) + hour).astype(np.float32)

    liking = np.einsum("nk,nk->n", world.user[user], world.topic[article]) / np.float32(np.sqrt(RANK))
    length = np.log(world.length[article]) - 5.5
    click_logit = -0.9 + 1.3 * liking + world.appeal[article] - 0.02 * age - 0.08 * position
    finish_logit = 0.2 + 0.7 * liking + 0.6 * world.patience[user] - 0.8 * length
    click_probability, finish_probability = sigmoid(click_logit), sigmoid(finish_logit)
    click = draw.random(rows) < click_probability
    finish = click & (draw.random(rows) < finish_probability)
    return pl.DataFrame(
        {
            "day": np.full(rows, day, dtype=np.int16),
            "user_id": user, "city": world.city[user], "article_id": article, "author": world.author[article],
            "hour": hour, "position": position, "length": world.length[article], "age_hours": age,
            "text": pl.Series(world.text[article]),
            "click": click.astype(np.int8), "finish": finish.astype(np.int8),
            f"{TRUTH}click": click_probability,
            f"{TRUTH}finish": click_probability * finish_probability,
        },
        schema_overrides={name: pl.Int32 for name in ("user_id", "article_id", "author")},
    )  # fmt: skip
