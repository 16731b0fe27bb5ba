"""How fast is a log of 1 M rows x 39 fields prepared, by autocompress and by FuxiCTR 2.3? Three alternating runs each.

    pip install -e '.[peers]' -c constraints.txt
    python experiments/data_throughput/run.py             # about 10 minutes on two cores; resumes by run

The log is synthetic, in Criteo's shape. Every run is a process that finds nothing in a cache; its clock starts after
imports. FuxiCTR gets its three splits as files that were cut before, autocompress one file to split itself.
"""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import polars as pl
from make import make

from autocompress.measure.machine import machine
from autocompress.storage import write_json

HERE = Path(__file__).resolve().parent
STORED, WORK = HERE / "results.json", HERE / "work"
ROWS, RUNS, FORMS = 1_000_000, 3, ("parquet", "csv")
FEW = 50_000
"""Rows of a run that tells what FuxiCTR takes whatever the number of rows (Ray's tasks, three times)."""


def split_files(log: Path, folder: Path) -> None:
    """The log cut in 80 : 10 : 10, in order, as both forms."""
    if folder.exists():
        return
    folder.mkdir(parents=True)
    frame = pl.read_parquet(log)
    ends = {"train": (0, 0.8), "valid": (0.8, 0.1), "test": (0.9, 0.1)}
    for name, (start, share) in ends.items():
        part = frame.slice(round(start * frame.height), round(share * frame.height))
        part.write_parquet(folder / f"{name}.parquet")
        part.write_csv(folder / f"{name}.csv")


def run(side: str, form: str, log: Path, parts: Path) -> dict[str, float]:
    """Seconds and peak GB of one run."""
    output = WORK / "output"
    shutil.rmtree(output, ignore_errors=True)
    words = [str(log)] if side == "autocompress" else [form, str(parts)]
    script = {"autocompress": "ours_side.py", "fuxictr": "fuxictr_side.py"}[side]
    command = [sys.executable, str(HERE / script), *words, str(output)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    shutil.rmtree(output)
    return {"seconds": found["seconds"], "peak_gb": found["peak_rss_bytes"] / 1e9}


def summary(runs: Mapping[str, list[dict[str, float]]]) -> dict[str, Any]:
    """Medians, and per form the ratio of each of our runs to the FuxiCTR run beside it."""
    found: dict[str, Any] = {
        name: {
            "rows_per_second": ROWS / statistics.median(run["seconds"] for run in each),
            "peak_gb": statistics.median(run["peak_gb"] for run in each),
        }
        for name, each in runs.items()
    }
    for form in FORMS:
        pairs = zip(runs[f"autocompress {form}"], runs[f"fuxictr {form}"], strict=True)
        ratios = [theirs["seconds"] / ours["seconds"] for ours, theirs in pairs]
        found[f"times faster from {form}"] = {"median": statistics.median(ratios), "runs": ratios}
    return found


def main() -> None:
    """Runs what is not stored yet, and prints the medians."""
    versions = {name: version(name) for name in ("fuxictr", "polars", "numpy")}
    new = {"machine": machine(), "versions": versions, "rows": ROWS, "runs": {}}
    stored = json.loads(STORED.read_text()) if STORED.exists() else new
    logs = make(ROWS, WORK / "log")
    split_files(logs["parquet"], WORK / "parts")
    for number in range(RUNS):
        for form in FORMS:
            for side in ("autocompress", "fuxictr"):
                runs = stored["runs"].setdefault(f"{side} {form}", [])
                if len(runs) <= number:
                    runs.append(run(side, form, logs[form], WORK / "parts"))
                    write_json(STORED, stored)
                    print(f"run {number + 1}, {side} {form}: {ROWS / runs[-1]['seconds']:,.0f} rows/s", flush=True)
    if "few rows" not in stored:
        few = make(FEW, WORK / "few")
        split_files(few["parquet"], WORK / "few_parts")
        stored["few rows"] = {"rows": FEW, **run("fuxictr", "parquet", few["parquet"], WORK / "few_parts")}
    stored["summary"] = summary(stored["runs"])
    write_json(STORED, stored)
    print(json.dumps(stored["summary"], indent=1))


if __name__ == "__main__":
    main()
