"""How many seconds does this search need for the front that plain Optuna finds with full trainings?

    python experiments/search_efficiency/run.py                 # about 145 minutes on two cores; resumes by cell
    python experiments/search_efficiency/run.py ours gowalla    # some ways, some logs

Same space, same machine, same wall clock: `MINUTES` a cell from the start of its process, `SEEDS` seeds. Each log has
one core, on which its cells run one after another. `ours`: the search as it ships. `tpe`, `nsga2`, `random`: plain
Optuna over the same space with the same teacher weights, cached logits and recipes, every trial trained on the whole
log, nothing gated or stopped; `... from random weights`: as a user would write them first, students start at random
and are trained as the teacher was. Data, teacher, its logits, the landmarks of the report and the validation quality of
these files are in every cell's cache before its clock starts; graphs that an earlier cell exported are not.

Hypervolume of (test quality, log bytes, log latency) over the seconds since the process was started, of every file that
a cell finished, whether or not it was chosen; quality from the test split and latency measured once more, after the
search. Reference point: -.02 of quality, the teacher's bytes, twice the teacher's latency. Stored: `results.json`,
`plot.png`.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import Any

import numpy as np

from autocompress.measure.machine import machine
from autocompress.search.objectives import REFERENCE_QUALITY, Vector, vector, volume
from autocompress.storage import write_json

HERE = Path(__file__).resolve().parent
STORED = HERE / "results.json"
DATA = Path(os.environ.get("DATA", HERE.parents[2] / "shared" / "data"))
CACHE = Path(os.environ.get("AUTOCOMPRESS_CACHE", "~/.cache/autocompress")).expanduser()
MINUTES, SEEDS = 6.0, 3
SLOWEST = 0.5
"""Speed-up of the reference point: on Gowalla files are about as fast as the teacher, some a little slower."""
LOGS = {
    "simulator": ["search=ads", "data.rows=1000000"],
    "gowalla": ["search=retrieval", "data=gowalla", f"data.root={DATA / 'gowalla'}", "data.negatives.each=1"],
}
GIVEN = ("tpe", "nsga2", "random")
FRESH = tuple(f"{way} from random weights" for way in GIVEN)
WAYS = ("ours", *GIVEN, *FRESH)
Cell = dict[str, Any]
History = list[tuple[float, float]]


def overrides(log: str, seed: int, minutes: float) -> list[str]:
    """What every cell of a log and a seed is configured with."""
    return [*LOGS[log], f"study.seed={seed}", f"study.minutes={minutes}", "study.n_trials=null", "execution.threads=1"]


def prepare(log: str, seed: int, core: int) -> None:
    """What every cell of a log and a seed finds in its cache."""
    with TemporaryDirectory(dir=CACHE.parent) as folder:
        command = [sys.executable, str(HERE / "judged.py"), *overrides(log, seed, MINUTES)]
        command += [f"output={folder}/before", f"cache={CACHE}"]
        subprocess.run(["taskset", "-c", str(core), *command], check=True, cwd=folder, stdout=subprocess.DEVNULL)


def cell(log: str, way: str, seed: int, core: int, minutes: float, extra: Sequence[str] = ()) -> Cell:
    """One run in a process of its own on one core, with a cache of its own."""
    items = [*overrides(log, seed, minutes), *extra]
    with TemporaryDirectory(dir=CACHE.parent) as folder:
        cache, found = Path(folder) / "cache", Path(folder) / "found.json"
        shutil.copytree(CACHE, cache, copy_function=os.link, ignore=shutil.ignore_patterns("graphs", "locks", ".*"))
        script = HERE / ("plain.py" if way in (*GIVEN, *FRESH) else "ours.py")
        started = time.time()
        command = [sys.executable, str(script), str(found), str(started), way, *items]
        command += [f"output={folder}/out", f"cache={cache}"]
        subprocess.run(["taskset", "-c", str(core), *command], check=True, cwd=folder, stdout=subprocess.DEVNULL)
        return {"log": log, "way": way, "seed": seed, **json.loads(found.read_text())}


def volumes(cell: Cell, minutes: float = MINUTES) -> History:
    """(seconds, hypervolume so far) after each file that raised it, until the minutes were over."""
    reference = np.array(vector(REFERENCE_QUALITY, cell["teacher_bytes"], SLOWEST))
    seen: list[Vector] = []
    history = [(0.0, 0.0)]
    for seconds, found in sorted(cell["files"]):
        if seconds > 60 * minutes:
            break
        seen.append((found[0], found[1], found[2]))
        now = volume(seen, reference)
        if now > history[-1][1]:
            history.append((seconds, now))
    return history


def at(history: History, seconds: float) -> float:
    """The volume after so many seconds."""
    return max(value for when, value in history if when <= seconds)


def reaches(history: History, wanted: float) -> float | None:
    """Seconds until that volume; None where it is never there."""
    return next((seconds for seconds, value in history if value >= wanted), None)


def summary(cells: list[Cell]) -> dict[str, Any]:
    """Per log: each way's final volumes; the best baseline of each kind (by its mean), and after which share of the
    minutes each seed of ours has its mean final volume."""
    found: dict[str, Any] = {}
    for log in dict.fromkeys(each["log"] for each in cells):
        by_way = {way: [volumes(c) for c in cells if (c["log"], c["way"]) == (log, way)] for way in WAYS}
        final = {way: [history[-1][1] for history in runs] for way, runs in by_way.items() if runs}
        shares = {}
        for kind, ways in (("teacher's weights", GIVEN), ("random weights", FRESH)):
            means = {way: statistics.fmean(final[way]) for way in ways if way in final}
            if means and by_way["ours"]:
                best = max(means, key=lambda way: means[way])
                times = [reaches(history, means[best]) for history in by_way["ours"]]
                shares[kind] = {
                    "best": best,
                    "share_of_seconds": [None if s is None else s / (60 * MINUTES) for s in times],
                }
        found[log] = {"final": final, "ours_reaches": shares}
    return found


def plot(cells: list[Cell]) -> None:
    """Mean hypervolume over seconds, with the range of seeds."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    logs = [log for log in LOGS if any(each["log"] == log for each in cells)]
    grid = np.linspace(0, 60 * MINUTES, 361)
    figure, axes = pyplot.subplots(1, len(logs), figsize=(5.5 * len(logs), 3.8), squeeze=False)
    for axis, log in zip(axes[0], logs, strict=True):
        for number, way in enumerate(WAYS):
            histories = [volumes(c) for c in cells if (c["log"], c["way"]) == (log, way)]
            if not histories:
                continue
            color, dashes = ("k", "-") if way == "ours" else (f"C{(number - 1) % 3}", "--" if way in FRESH else "-")
            values = np.array([[at(history, second) for second in grid] for history in histories])
            axis.plot(grid, values.mean(axis=0), dashes, label=way, color=color)
            axis.fill_between(grid, values.min(axis=0), values.max(axis=0), alpha=0.15, color=color)
        axis.set_xlabel("seconds since the process was started")
        axis.set_ylabel("hypervolume (test split)")
        axis.set_title(log + (" (synthetic)" if log == "simulator" else ""))
    axes[0][-1].legend(fontsize=7, loc="lower right")
    figure.tight_layout()
    figure.savefig(HERE / "plot.png", dpi=110)


def main(asked: list[str]) -> None:
    """Runs what is not stored yet; the cells of a log one after another."""
    stored: dict[str, Any] = json.loads(STORED.read_text()) if STORED.exists() else {"machine": machine(), "cells": []}
    ways = [way for way in WAYS if way in asked] or WAYS
    logs = [log for log in LOGS if log in asked] or list(LOGS)
    lock = Lock()

    def keep() -> None:
        stored["summary"] = summary(stored["cells"])
        write_json(STORED, stored)
        plot(stored["cells"])

    def run(log: str) -> None:
        done = {(each["way"], each["seed"]) for each in stored["cells"] if each["log"] == log}
        for seed in range(SEEDS):
            missing = [way for way in ways if (way, seed) not in done]
            if missing:
                prepare(log, seed, list(LOGS).index(log))
            for way in missing:
                found = cell(log, way, seed, list(LOGS).index(log), MINUTES)
                with lock:
                    stored["cells"].append(found)
                    print(log, way, seed, found["trials"], found["shipped"], volumes(found)[-1], flush=True)
                    keep()

    with ThreadPoolExecutor() as pool:
        list(pool.map(run, logs))
    keep()


if __name__ == "__main__":
    main(sys.argv[1:])
