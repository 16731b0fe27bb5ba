"""Preparation of one log by autocompress, in a process of its own; prints seconds and peak memory as JSON.

python ours_side.py FILE OUTPUT
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from autocompress.data.cleaning import Cleaning
from autocompress.data.sources.table import Table
from autocompress.data.store import prepare
from autocompress.measure.memory import peak_bytes


def main(file: str, output: str) -> None:
    """Infers the schema, cleans, splits, encodes and stores; nothing is found in a cache."""
    started = time.perf_counter()
    source = Table.model_validate({"path": file, "label": "label", "split": {"by": "order"}})
    dataset = prepare(source, Cleaning(), Path(output))
    seconds = time.perf_counter() - started
    assert len(dataset.schema.fields) == 39
    print(json.dumps({"seconds": seconds, "peak_rss_bytes": peak_bytes()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
