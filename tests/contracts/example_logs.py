"""Small logs in the exact formats of public sets that are not at hand, for the suite that every source passes."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from autocompress.data.sources.avazu import CATEGORICAL as AVAZU

ROWS = 4_000


def avazu(folder: Path) -> dict[str, Any]:
    """train.csv of ten days; like the others, returns what its source needs to find it."""
    draw = np.random.default_rng(1)
    hours = [f"1410{21 + row * 10 // ROWS}{row * 240 // ROWS % 24:02d}" for row in range(ROWS)]
    columns = {"id": np.arange(ROWS) + 10**18, "click": draw.integers(0, 2, ROWS), "hour": hours}
    columns |= {name: draw.integers(0, 40, ROWS) for name in AVAZU}
    pl.DataFrame(columns).write_csv(folder / "train.csv")
    return {"root": folder}


def frappe(folder: Path) -> dict[str, Any]:
    """train.csv, valid.csv and test.csv."""
    draw = np.random.default_rng(2)
    names = ("user", "item", "daytime", "weekday", "isweekend", "homework", "cost", "weather", "country", "city")
    for file in ("train.csv", "valid.csv", "test.csv"):
        columns = {"label": draw.integers(0, 2, ROWS), **{name: draw.integers(0, 9, ROWS) for name in names}}
        pl.DataFrame(columns).write_csv(folder / file)
    return {"root": folder}


def table(folder: Path) -> dict[str, Any]:
    """A log of one's own in two files: an id, a text, a number, a list, a time and a label of yes and no."""
    draw = np.random.default_rng(3)
    start = datetime(2026, 3, 1)
    for part in range(2):
        times = [start + timedelta(minutes=part * ROWS + row) for row in range(ROWS)]
        columns = {
            "user_id": draw.integers(0, 300, ROWS),
            "device": draw.choice(["phone", "tablet", "tv"], ROWS),
            "price": draw.normal(10, 3, ROWS),
            "seen": ["|".join(map(str, draw.integers(0, 50, 3))) for _ in range(ROWS)],
            "served at": [f"{time:%Y-%m-%d %H:%M:%S}" for time in times],
            "bought": draw.choice(["yes", "no"], ROWS, p=[0.3, 0.7]),
        }
        pl.DataFrame(columns).write_csv(folder / f"part{part}.csv")
    return {"path": str(folder), "label": "bought"}


def gowalla(folder: Path) -> dict[str, Any]:
    """train.txt and test.txt: a line per user."""
    draw = np.random.default_rng(4)
    for file, number in (("train.txt", 8), ("test.txt", 2)):
        offset = 0 if file == "train.txt" else 100
        lines = [f"{user} {' '.join(map(str, offset + draw.choice(100, number, replace=False)))}" for user in range(90)]
        (folder / file).write_text("\n".join(lines) + "\n")
    return {"root": folder}
