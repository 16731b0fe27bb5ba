"""How fast is one DCNv2 trained by autocompress, torch-rechub 0.9 and deepctr-torch 0.3? Three alternating runs each.

    pip install -e '.[peers]' -c constraints.txt
    python experiments/training_throughput/run.py         # about 9 minutes on two cores; resumes by run

Every run is a process; its clock is around one epoch of the side's own training call. Compilation is timed apart.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from make import dataset
from sides import SIDES

from autocompress.measure.machine import machine
from autocompress.storage import write_json

HERE = Path(__file__).resolve().parent
STORED, WORK = HERE / "results.json", HERE / "work"
ROWS, RUNS = 750_000, 3
PEERS = ("torch-rechub", "deepctr-torch")


def run(side: str) -> dict[str, Any]:
    """One run in a process of its own."""
    command = [sys.executable, str(HERE / "sides.py"), side, str(ROWS), str(WORK)]
    # torch keeps what it has compiled: here, so that the first run of an empty folder shows what a first time costs
    environment = {**os.environ, "TORCHINDUCTOR_CACHE_DIR": str(WORK / "compiled")}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def summary(runs: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Medians, and how many times the faster peer of the same round each of ours is, over the rounds that are whole."""
    rounds = min(len(each) for each in runs.values())
    keys = ("rows_per_second", "compile_seconds", "peak_gb", "test_auc")
    found: dict[str, Any] = {
        side: {key: statistics.median(run[key] for run in each) for key in keys} for side, each in runs.items()
    }
    for side in (side for side in SIDES if side not in PEERS):
        faster = [max(runs[peer][number]["rows_per_second"] for peer in PEERS) for number in range(rounds)]
        ratios = [run["rows_per_second"] / peer for run, peer in zip(runs[side][:rounds], faster, strict=True)]
        found[f"{side}, times the faster peer"] = {"median": statistics.median(ratios), "runs": ratios}
    return found


def main() -> None:
    """Runs what is not stored yet, and prints the medians."""
    versions = {name: version(name) for name in ("torch", *PEERS)}
    new = {"machine": machine(), "versions": versions, "rows": ROWS, "runs": {}}
    stored = json.loads(STORED.read_text()) if STORED.exists() else new
    dataset(ROWS, WORK)
    for number in range(RUNS):
        for side in SIDES:
            runs = stored["runs"].setdefault(side, [])
            if len(runs) <= number:
                runs.append(run(side))
                write_json(STORED, stored)
                print(f"run {number + 1}, {side}: {runs[-1]['rows_per_second']:,.0f} rows/s", flush=True)
    stored["summary"] = summary(stored["runs"])
    write_json(STORED, stored)
    print(json.dumps(stored["summary"], indent=1))


if __name__ == "__main__":
    main()
