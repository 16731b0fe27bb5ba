"""A synthetic log in Criteo's shape: a label, 13 counts with gaps, 26 hexadecimal ids; rows x 39 fields."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

CARDINALITIES = (
    1_500, 600, 100_000, 60_000, 300, 20, 12_000, 600, 3, 60_000, 5_000, 100_000, 3_000, 26, 11_000, 90_000, 10, 5_000,
    2_000, 4, 100_000, 18, 15, 60_000, 80, 40_000,
)  # fmt: skip
SIZE = 250_000


def part(rows: int, number: int) -> pl.DataFrame:
    """`rows` rows from a stream of their own; ids follow a power law, counts a log-normal one."""
    draw = np.random.default_rng([0, number])
    columns = [pl.Series("label", (draw.random(rows) < 0.25).astype(np.int8))]
    for index in range(13):
        counts = pl.Series(f"I{index + 1}", np.floor(draw.lognormal(2.0, 1.5, rows)).astype(np.int64))
        columns.append(counts.zip_with(pl.Series(draw.random(rows) >= 0.1), pl.Series([None], dtype=pl.Int64)))
    for index, ids in enumerate(CARDINALITIES):
        words = pl.Series([f"{(value * 2_654_435_761 + index) % 2**32:08x}" for value in range(ids)])
        columns.append(words[(draw.random(rows) ** 4 * ids).astype(np.int64)].alias(f"C{index + 1}"))
    return pl.DataFrame(columns)


def make(rows: int, folder: Path) -> dict[str, Path]:
    """Writes the same rows as Parquet and CSV into `folder`, unless they are there."""
    paths = {kind: folder / f"log_{rows}.{kind}" for kind in ("parquet", "csv")}
    if not all(path.exists() for path in paths.values()):
        folder.mkdir(parents=True, exist_ok=True)
        frame = pl.concat([part(min(SIZE, rows - start), start) for start in range(0, rows, SIZE)])
        frame.write_parquet(paths["parquet"])
        frame.write_csv(paths["csv"])
    return paths
