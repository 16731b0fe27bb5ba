"""FuxiCTR's own feature processing of one log, in a process of its own; prints seconds and peak memory as JSON.

    python fuxictr_side.py csv FOLDER OUTPUT      # FOLDER holds train, valid and test .csv (or .parquet) files

In its favour: Ray, which it transforms with, is started before the clock, and the memory of Ray's processes is not
counted. FuxiCTR 2.3.10 calls `polars.scan_csv` with an argument that Polars 2 renamed; the new name is put in for it.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
from fuxictr.preprocess import FeatureProcessor, build_dataset
from fuxictr.preprocess.build_dataset import init_ray

from autocompress.measure.memory import peak_bytes

NUMERIC = [f"I{number}" for number in range(1, 14)]
CATEGORICAL = [f"C{number}" for number in range(1, 27)]


def with_new_name(scan: Callable[..., pl.LazyFrame]) -> Callable[..., pl.LazyFrame]:
    """`polars.scan_csv` that also knows the name which its `schema_overrides` had before Polars 2."""

    def scan_csv(*args: Any, dtypes: Any = None, **settings: Any) -> pl.LazyFrame:
        return scan(*args, schema_overrides=dtypes, **settings)

    return scan_csv


def main(form: str, folder: str, output: str) -> None:
    """Fits on the training file and writes what FuxiCTR trains from."""
    logging.disable(logging.CRITICAL)
    numbers = {"name": NUMERIC, "active": True, "dtype": "float", "type": "numeric", "normalizer": "StandardScaler"}
    words = {"name": CATEGORICAL, "active": True, "dtype": "str", "type": "categorical"}
    pl.scan_csv = with_new_name(pl.scan_csv)
    init_ray()
    started = time.perf_counter()
    processor = FeatureProcessor(
        feature_cols=[numbers, words],
        label_col={"name": "label", "dtype": "float"},
        dataset_id="log",
        data_root=output,
    )
    train, valid, test = (str(Path(folder) / f"{split}.{form}") for split in ("train", "valid", "test"))
    build_dataset(processor, train_data=train, valid_data=valid, test_data=test, data_format=form, min_categr_count=2)
    seconds = time.perf_counter() - started
    print(json.dumps({"seconds": seconds, "peak_rss_bytes": peak_bytes()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
