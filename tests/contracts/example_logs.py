"""Small logs in the exact formats of public sets that are not at hand, for the suite that every source passes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from autocompress.data.sources.avazu import CATEGORICAL as AVAZU

ROWS = 4_000


def avazu(folder: Path) -> Path:
    """train.csv of ten days."""
    draw = np.random.default_rng(1)
    hours = [f"1410{21 + row * 10 // ROWS}{row * 240 // ROWS % 24:02d}" for row in range(ROWS)]
    columns = {"id": np.arange(ROWS) + 10**18, "click": draw.integers(0, 2, ROWS), "hour": hours}
    columns |= {name: draw.integers(0, 40, ROWS) for name in AVAZU}
    pl.DataFrame(columns).write_csv(folder / "train.csv")
    return folder


def frappe(folder: Path) -> Path:
    """train.csv, valid.csv and test.csv."""
    draw = np.random.default_rng(2)
    names = ("user", "item", "daytime", "weekday", "isweekend", "homework", "cost", "weather", "country", "city")
    for file in ("train.csv", "valid.csv", "test.csv"):
        columns = {"label": draw.integers(0, 2, ROWS), **{name: draw.integers(0, 9, ROWS) for name in names}}
        pl.DataFrame(columns).write_csv(folder / file)
    return folder
