"""A synthetic log for timing training: 39 id fields, 1 M embedding rows in all, a label that the ids tell of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from autocompress.data.cleaning import Cleaning
from autocompress.data.sources.table import Table
from autocompress.data.store import Dataset, prepare

FIELDS, FACTORS = 39, 4
SIZES = [round(10 ** (1.0 + 4.43 * (index / (FIELDS - 1)) ** 1.1)) for index in range(FIELDS)]
"""Ids per field, 10 to 200,000."""


def rows(number: int, seed: int) -> pl.DataFrame:
    """Ids by a power law; the label follows an effect per id and products of four latent factors."""
    draw = np.random.default_rng(seed)
    world = np.random.default_rng(0)
    ids = [(draw.random(number) ** 3 * size).astype(np.int64) for size in SIZES]
    logit = np.full(number, -1.2)
    factors = np.zeros((number, FACTORS))
    for field, size in zip(ids, SIZES, strict=True):
        logit += world.normal(0.0, 0.18, size)[field]
        factors += world.normal(0.0, 0.3, (size, FACTORS))[field]
    logit += 0.25 * (factors[:, 0] * factors[:, 1] + factors[:, 2] * factors[:, 3])
    labels = draw.random(number) < 1 / (1 + np.exp(-logit))
    columns = {f"f{index}": field for index, field in enumerate(ids)}
    return pl.DataFrame({**columns, "label": labels.astype(np.int8)})


def dataset(number: int, folder: Path) -> Dataset:
    """The prepared log, made where it is not there: 80 % of `number` rows for training, the last tenth for the test."""
    path = folder / f"log_{number}.parquet"
    schema = folder / "schema.yaml"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        rows(number, 1).write_parquet(path)
        fields = "".join(f"- {{name: f{index}, encoding: hash, buckets: {size}}}\n" for index, size in enumerate(SIZES))
        schema.write_text(f"fields:\n{fields}tasks:\n- {{name: label, label: label}}\n")
    source = Table.model_validate({"path": str(path), "schema": str(schema), "split": {"by": "order"}})
    return prepare(source, Cleaning(), folder / "cache")
