"""Small logs in the exact formats of public sets that are not at hand, for the suite that every source passes."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from autocompress.data.sources.ali_ccp import SAMPLE_FIELDS, USER_FIELDS
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


def movielens(folder: Path) -> dict[str, Any]:
    """The files of 100k."""
    draw = np.random.default_rng(5)
    ratings = {
        "user": draw.integers(1, 200, ROWS),
        "movie": draw.integers(1, 300, ROWS),
        "rating": draw.integers(1, 6, ROWS),
        "timestamp": 880_000_000 + draw.permutation(ROWS) * 60,
    }
    pl.DataFrame(ratings).write_csv(folder / "u.data", separator="\t", include_header=False)
    users = [
        f"{user}|{18 + user % 40}|{'MF'[user % 2]}|{('artist', 'doctor', 'none')[user % 3]}|{10_000 + user % 50}"
        for user in range(1, 200)
    ]
    (folder / "u.user").write_text("\n".join(users) + "\n")
    flags = [
        "|".join("1" if genre in (movie % 19, (movie * 7) % 19) else "0" for genre in range(19)) for movie in range(300)
    ]
    movies = [
        f"{movie}|Film {movie} ({1950 + movie % 48})|01-Jan-1995||http://x|{flags[movie]}" for movie in range(1, 300)
    ]
    (folder / "u.item").write_text("\n".join(movies) + "\n")
    return {"root": folder, "size": "100k"}


def ali_ccp(folder: Path) -> dict[str, Any]:
    """Samples and common features of both parts."""
    draw = np.random.default_rng(6)

    def features(names: tuple[str, ...]) -> str:
        return "\x01".join(f"{name}\x02{draw.integers(0, 30)}\x031.0" for name in names)

    for part in ("train", "test"):
        users = [f"u{user},{len(USER_FIELDS)},{features(USER_FIELDS)}" for user in range(200)]
        (folder / f"common_features_{part}.csv").write_text("\n".join(users) + "\n")
        clicks = draw.random(ROWS // 2) < 0.4
        buys = clicks & (draw.random(ROWS // 2) < 0.4)
        samples = [
            f"{row},{int(click)},{int(buy)},u{row % 200},{len(SAMPLE_FIELDS)},{features(SAMPLE_FIELDS)}"
            for row, (click, buy) in enumerate(zip(clicks, buys, strict=True))
        ]
        (folder / f"sample_skeleton_{part}.csv").write_text("\n".join(samples) + "\n")
    return {"root": folder}
