"""Synthetic search results, a list per query: the default of `search=ranking`.

A query and a document each have a latent topic, which their words betray: every topic says its own words more often.
Twenty documents are listed for a query, some that fit and some that are merely popular; a click follows how well the
topics fit, the document's quality and the place in the list. What a search engine's text score knows is one noisy
number; words and ids hold the rest.

The constants are frozen: changing one changes every stored result, so it takes a new `VERSION`.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import ClassVar, Literal

import numpy as np
import polars as pl
from pydantic import Field as Limits

from autocompress.data.simulated import Floats, Ints, by_days, parts_of_days, pick, sigmoid, zipf
from autocompress.data.source import TRUTH
from autocompress.data.split import Splitting
from autocompress.digest import json_digest
from autocompress.schema import Field, Frozen, Schema, Sequence, Task

VERSION = 1
RANK = 12
QUERIES, DOCUMENTS, TOPICS, WORDS, SITES, SEGMENTS = 8_000, 20_000, 250, 3_000, 400, 50
LISTED, QUERY_WORDS, TITLE_WORDS = 20, 3, 6


class SearchSimulator(Frozen):
    """`rows` results, twenty for each search, over `days` days; the last day is the test split, that before validation.

    A part of a day that is no multiple of twenty ends with a shorter list.
    """

    kind: Literal["search_simulator"] = "search_simulator"
    synthetic: ClassVar[bool] = True
    rows: int = Limits(600_000, ge=1_000)
    days: int = Limits(8, ge=3, le=60)
    seed: int = 1

    def row_schema(self) -> Schema:
        """Eight fields, the words of query and title, the task `click`; a group is one search."""
        ids = ("query_id", "document_id", "site", "segment", "position")
        numbers = ("text_score", "title_length", "document_age")
        return Schema(
            fields=(
                *(Field(name=name, min_count=2) for name in ids),
                *(Field(name=name, kind="numeric") for name in numbers),
            ),
            sequences=(
                Sequence(name="query_words", length=QUERY_WORDS),
                Sequence(name="title_words", length=TITLE_WORDS),
            ),
            tasks=(Task(name="click", label="click"),),
            time="day",
            group="search_id",
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
        """Results in order of days, a search's next to one another, with true probabilities."""
        world, number = _world(self.seed), 0
        for day, part, _, size in parts_of_days(self.rows, self.days):
            yield _results(day, size, number, world, [self.seed, 1, day, part])
            number += -(-size // LISTED)


class _World:
    """Everything that is fixed before the first search; drawn from its own stream of the seed."""

    def __init__(self, seed: int) -> None:
        draw = np.random.default_rng([seed, 0])

        def latent(ids: int) -> Floats:
            return draw.standard_normal((ids, RANK), dtype=np.float32)

        def words(topic: Ints, count: int) -> Ints:
            own = (topic[:, None] * 12 + draw.integers(0, 12, (len(topic), count))) % WORDS
            common = (WORDS * draw.random((len(topic), count)) ** 3).astype(np.int64)
            return np.where(draw.random((len(topic), count)) < 0.6, own, common)

        topic, site = latent(TOPICS), latent(SITES)
        self.query_topic, self.document_topic = draw.integers(0, TOPICS, QUERIES), draw.integers(0, TOPICS, DOCUMENTS)
        # documents of a topic are neighbours, so that a topic's documents are a slice
        self.document_topic.sort()
        self.first = np.searchsorted(self.document_topic, np.arange(TOPICS + 1))
        self.site = draw.choice(SITES, DOCUMENTS, p=zipf(SITES, 0.8))
        self.query = 0.9 * topic[self.query_topic] + 0.4 * latent(QUERIES)
        self.document = 0.8 * topic[self.document_topic] + 0.3 * site[self.site] + 0.5 * latent(DOCUMENTS)
        self.taste = 0.5 * latent(SEGMENTS)
        self.quality = 0.5 * draw.standard_normal(DOCUMENTS, dtype=np.float32)
        self.age = draw.exponential(90.0, DOCUMENTS).astype(np.float32)
        self.query_words, self.title_words = (
            words(self.query_topic, QUERY_WORDS),
            words(self.document_topic, TITLE_WORDS),
        )
        self.asked = np.cumsum(draw.permutation(zipf(QUERIES, 0.9)))
        self.popularity = np.cumsum(draw.permutation(zipf(DOCUMENTS, 0.8)))


@lru_cache(maxsize=2)
def _world(seed: int) -> _World:
    return _World(seed)


def _results(day: int, rows: int, number: int, world: _World, stream: list[int]) -> pl.DataFrame:
    draw = np.random.default_rng(stream)
    searches = -(-rows // LISTED)
    query = np.repeat(pick(world.asked, draw.random(searches)), LISTED)[:rows]
    segment = np.repeat(draw.integers(0, SEGMENTS, searches), LISTED)[:rows]
    search, position = (
        np.repeat(number + np.arange(searches), LISTED)[:rows],
        np.tile(np.arange(LISTED), searches)[:rows],
    )
    first = world.first[world.query_topic[query]]
    there = world.first[world.query_topic[query] + 1] - first
    fitting = first + (there * draw.random(rows)).astype(np.int64)
    popular = pick(world.popularity, draw.random(rows))
    document = np.where((draw.random(rows) < 0.5) & (there > 0), np.minimum(fitting, DOCUMENTS - 1), popular)

    documents = world.document[document]
    fit = np.einsum("nk,nk->n", world.query[query], documents) / np.float32(RANK)
    liked = np.einsum("nk,nk->n", world.taste[segment], documents) / np.float32(RANK)
    text_score = (fit + 0.5 * draw.standard_normal(rows)).astype(np.float32)
    logit = -2.2 + 2.0 * fit + 1.2 * liked + world.quality[document] - 0.08 * position - 0.003 * world.age[document]
    probability = sigmoid(logit.astype(np.float32))
    return pl.DataFrame(
        {
            "day": np.full(rows, day, dtype=np.int16),
            "search_id": search, "query_id": query, "document_id": document, "site": world.site[document],
            "segment": segment, "position": position, "text_score": text_score,
            "title_length": 20.0 + 5.0 * (document % 7), "document_age": world.age[document],
            "query_words": pl.Series(world.query_words[query].astype(np.int32)).arr.to_list(),
            "title_words": pl.Series(world.title_words[document].astype(np.int32)).arr.to_list(),
            "click": (draw.random(rows) < probability).astype(np.int8),
            f"{TRUTH}click": probability,
        },
        schema_overrides={name: pl.Int32 for name in ("query_id", "document_id", "site", "segment")},
    )  # fmt: skip
