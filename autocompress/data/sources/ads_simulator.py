"""Synthetic ad impressions whose labels are bound by capacity: the embedded default.

Users, ads and pages carry 16-dimensional latent vectors, built from the latent vectors of the ids that describe them
(city, device, campaign, advertiser, site, ...) and a share of their own. A click's logit is a sum of rotated inner
products of those vectors, a random network over all three, and a bias per id; conversions follow clicks with other
rotations. Ids are Zipf-distributed; ads are born and fade over the days, and their appeal drifts. Inner products of
rank 16 cannot be written by narrow embeddings, so a wide teacher beats a narrow student: that is the point of it.

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
from autocompress.schema import Field, Frozen, Schema, Task

VERSION = 1
RANK = 16
SEGMENTS, CITIES, DEVICES = 300, 1_000, 1_000
ADS, CAMPAIGNS, ADVERTISERS, CATEGORIES = 100_000, 3_000, 1_000, 100
PAGES, SITES, CHANNELS = 20_000, 2_000, 40
ZIPF = 1.05

CATEGORICAL = (
    "user_id", "segment", "city", "device", "age", "gender", "ad_id", "campaign", "advertiser", "category",
    "ad_format", "page", "site", "channel", "hour", "position", "connection", "weekday",
)  # fmt: skip
NUMERIC = ("price", "user_tenure_days")


class AdsSimulator(Frozen):
    """`rows` impressions of up to `users` users over `days` days; the last day is the test split, the one before it
    validation.

    `context_fields` adds fields that say nothing about the labels, two in three of them ids: real logs are full of
    them.
    """

    kind: Literal["ads_simulator"] = "ads_simulator"
    synthetic: ClassVar[bool] = True
    rows: int = Limits(2_000_000, ge=1_000)
    days: int = Limits(10, ge=3, le=365)
    seed: int = 1
    users: int = Limits(100_000, ge=1_000, le=10_000_000)
    context_fields: int = Limits(0, ge=0, le=200)

    def row_schema(self) -> Schema:
        """Twenty fields and the context, two tasks: `click` and, only where clicked, `conversion`."""
        fields = [Field(name=name, min_count=2) for name in CATEGORICAL]
        fields += [Field(name=name, kind="numeric") for name in NUMERIC]
        fields += [
            Field(name=name, kind="categorical" if ids else "numeric", min_count=2 if ids else 1)
            for name, ids in _context(self.context_fields)
        ]
        tasks = (Task(name="click", label="click"), Task(name="conversion", label="conversion", parent="click"))
        return Schema(fields=tuple(fields), tasks=tasks, time="day")

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
        """Impressions in order of time, with true probabilities; a long day comes in several parts."""
        for day, part, parts, size in parts_of_days(self.rows, self.days):
            frame = _impressions(day, part, parts, size, self)
            yield _with_context(frame, self.context_fields, [self.seed, 2, day, part])


class _World:
    """Everything that is fixed before the first impression; drawn from its own stream of the seed."""

    def __init__(self, days: int, seed: int, users: int) -> None:
        draw = np.random.default_rng([seed, 0])

        def latent(ids: int) -> Floats:
            return draw.standard_normal((ids, RANK), dtype=np.float32)

        def bias(ids: int, scale: float) -> Floats:
            return scale * draw.standard_normal(ids, dtype=np.float32)

        def parents(ids: int, of: int, exponent: float) -> Ints:
            return draw.choice(of, ids, p=zipf(of, exponent))

        def rotation() -> Floats:
            return np.linalg.qr(draw.standard_normal((RANK, RANK)))[0].astype(np.float32)

        self.segment, self.city = parents(users, SEGMENTS, 0.0), parents(users, CITIES, 1.0)
        self.device, self.age, self.gender = parents(users, DEVICES, 1.1), parents(users, 8, 0.0), parents(users, 3, 0)
        self.tenure = draw.exponential(400.0, users).astype(np.float32)
        self.user = (
            0.4 * latent(SEGMENTS)[self.segment] + 0.8 * latent(CITIES)[self.city] + 0.3 * latent(DEVICES)[self.device]
            + 0.25 * latent(8)[self.age] + 0.15 * latent(3)[self.gender] + 0.4 * latent(users)
        )  # fmt: skip
        self.user_bias = bias(users, 0.5) + bias(CITIES, 0.3)[self.city] + 0.15 * np.log1p(self.tenure / 400.0)

        self.campaign, self.campaign_advertiser = parents(ADS, CAMPAIGNS, 0.6), parents(CAMPAIGNS, ADVERTISERS, 0.8)
        self.advertiser = self.campaign_advertiser[self.campaign]
        category_latent = latent(CATEGORIES)
        self.category = parents(ADVERTISERS, CATEGORIES, 0.0)[self.advertiser]
        self.ad_format = parents(ADS, 6, 0.0)
        self.price = np.exp(0.6 * (draw.standard_normal(ADS) + 0.5 * category_latent[self.category, 0])).astype(
            np.float32
        )
        self.ad = (
            0.3 * category_latent[self.category] + 0.4 * latent(ADVERTISERS)[self.advertiser]
            + 0.8 * latent(CAMPAIGNS)[self.campaign] + 0.2 * latent(6)[self.ad_format] + 0.35 * latent(ADS)
        )  # fmt: skip
        self.ad_bias = bias(ADS, 0.4) + bias(CAMPAIGNS, 0.4)[self.campaign] + bias(ADVERTISERS, 0.3)[self.advertiser]
        self.ad_drift = bias(ADS, 0.05)
        self.ad_birth = draw.uniform(-30.0, days, ADS)

        self.site, self.site_channel = parents(PAGES, SITES, 0.8), parents(SITES, CHANNELS, 0.0)
        self.channel = self.site_channel[self.site]
        self.page = 0.5 * latent(SITES)[self.site] + 0.4 * latent(CHANNELS)[self.channel] + 0.4 * latent(PAGES)
        self.page_bias = bias(PAGES, 0.3) + bias(SITES, 0.3)[self.site]
        self.hour = 0.3 * latent(24)

        self.user_ad, self.page_ad, self.user_ad_conversion = rotation(), rotation(), rotation()
        hidden = 64
        self.hidden_weight = draw.standard_normal((3 * RANK, hidden), dtype=np.float32) * np.float32(
            1.6 / np.sqrt(3 * RANK)
        )
        self.hidden_bias = bias(hidden, 1.0)
        self.output_weight = draw.standard_normal((hidden, 2), dtype=np.float32) * np.float32(0.5 / np.sqrt(hidden))
        self.user_popularity = np.cumsum(draw.permutation(zipf(users, ZIPF)))
        self.ad_popularity = draw.permutation(zipf(ADS, ZIPF))
        self.page_popularity = np.cumsum(draw.permutation(zipf(PAGES, 1.0)))


@lru_cache(maxsize=2)
def _world(days: int, seed: int, users: int) -> _World:
    return _World(days, seed, users)


def _inner(left: Floats, rotation: Floats, right: Floats) -> Floats:
    products: Floats = np.einsum("nk,nk->n", left @ rotation, right) / np.float32(np.sqrt(RANK))
    return products


def _context(fields: int) -> list[tuple[str, int]]:
    """Name and number of ids (0: a number) of each context field."""
    return [(f"context_{n}", 0 if n % 3 == 2 else 10 ** (2 + n % 4)) for n in range(fields)]


def _with_context(frame: pl.DataFrame, fields: int, stream: list[int]) -> pl.DataFrame:
    draw = np.random.default_rng(stream)
    columns = {
        # a power of a uniform number is a cheap law with a long tail
        name: (draw.random(frame.height, dtype=np.float32) ** 3 * ids).astype(np.int32)
        if ids
        else draw.exponential(10.0, frame.height).astype(np.float32)
        for name, ids in _context(fields)
    }
    return frame.with_columns(pl.Series(name, values) for name, values in columns.items())


def _impressions(day: int, part: int, parts: int, rows: int, source: AdsSimulator) -> pl.DataFrame:
    world = _world(source.days, source.seed, source.users)
    # a stream per part of a day: any can be made alone, in any order
    draw = np.random.default_rng([source.seed, 1, day, *([part] if parts > 1 else [])])
    alive = world.ad_popularity * (world.ad_birth <= day) * np.exp(-np.maximum(day - world.ad_birth, 0.0) / 25.0)
    user, page = pick(world.user_popularity, draw.random(rows)), pick(world.page_popularity, draw.random(rows))
    ad = pick(np.cumsum(alive), draw.random(rows))
    hour, position, connection = (
        np.sort(draw.integers(24 * part // parts, max(24 * (part + 1) // parts, 24 * part // parts + 1), rows)),
        draw.integers(0, 10, rows),
        draw.integers(0, 4, rows),
    )

    users, ads, pages = world.user[user], world.ad[ad], world.page[page] + world.hour[hour]
    network = (
        np.tanh(np.concatenate([users, ads, pages], axis=1) @ world.hidden_weight + world.hidden_bias)
        @ world.output_weight
    )
    click_logit = (
        -1.5 + 1.6 * _inner(users, world.user_ad, ads) + 1.2 * _inner(pages, world.page_ad, ads) + network[:, 0]
        + world.ad_bias[ad] + world.ad_drift[ad] * day + world.page_bias[page] + world.user_bias[user]
        - 0.12 * position + 0.05 * connection
    )  # fmt: skip
    conversion_logit = (
        -1.1 + 1.6 * _inner(users, world.user_ad_conversion, ads) + network[:, 1] + 0.5 * world.ad_bias[ad]
        - 0.3 * np.log(world.price[ad])
    )  # fmt: skip
    click_probability, conversion_probability = sigmoid(click_logit), sigmoid(conversion_logit)
    click = draw.random(rows) < click_probability
    conversion = click & (draw.random(rows) < conversion_probability)
    return pl.DataFrame(
        {
            "day": np.full(rows, day, dtype=np.int16),
            "user_id": user, "segment": world.segment[user], "city": world.city[user], "device": world.device[user],
            "age": world.age[user], "gender": world.gender[user], "user_tenure_days": world.tenure[user] + day,
            "ad_id": ad, "campaign": world.campaign[ad], "advertiser": world.advertiser[ad],
            "category": world.category[ad], "ad_format": world.ad_format[ad], "price": world.price[ad],
            "page": page, "site": world.site[page], "channel": world.channel[page],
            "hour": hour, "weekday": np.full(rows, day % 7, dtype=np.int64), "position": position,
            "connection": connection,
            "click": click.astype(np.int8), "conversion": conversion.astype(np.int8),
            f"{TRUTH}click": click_probability,
            f"{TRUTH}conversion": click_probability * conversion_probability,
        },
        schema_overrides={name: pl.Int32 for name in CATEGORICAL},
    )  # fmt: skip
