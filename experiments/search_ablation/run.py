"""Which part of the search brings what: samplers and bandits side by side, and one part at a time taken away.

    python experiments/search_ablation/run.py                   # about 65 minutes on two cores; resumes by cell
    python experiments/search_ablation/run.py "without gates"   # some ways

On the simulator (**synthetic**), `MINUTES` a cell from the start of its process, one core each, two cells side by side;
cells, hypervolume and reference point are those of `search_efficiency`. `SEEDS` seeds are few: a difference smaller
than between the seeds of one way is none. Stored: `results.json`, `plot.png`.
"""

from __future__ import annotations

import json
import statistics
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from autocompress.measure.machine import machine
from autocompress.storage import write_json

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "search_efficiency"))
from run import at, cell, prepare, volumes  # noqa: E402  the one in that folder

STORED = HERE / "results.json"
MINUTES, SEEDS = 3.0, 2
SAMPLERS = (
    "evolution",
    "tpe",
    "{kind: tpe, multivariate: true}",
    "nsga2",
    "nsga3",
    "gp",
    "random",
    "epsilon_greedy",
    "ucb1",
    "thompson",
    "linucb",
)
WITHOUT: dict[str, tuple[str, ...]] = {
    "without finishing": ("study.trial_pruner={kind: extrapolation, finishing: 0}",),
    "halving": ("study.trial_pruner=asha",),
    "hyperband": ("study.trial_pruner=hyperband",),
    "without stages": ("study.trial_pruner={kind: extrapolation, finishing: 0}", "study.rungs=[all]"),
    "without stopping": ("study.trial_pruner=none",),
    "without gates": (),
    "without warm starts": ("study.recipes=[]",),
    "random weights": (),
}
WAYS = {**{f"sampler {name}": (f"study.sampler={name}",) for name in SAMPLERS}, **WITHOUT}


def one(way: str, seed: int, core: int) -> dict[str, Any]:
    """A cell with its hypervolume at thirds of its minutes."""
    found = cell("simulator", way, seed, core, MINUTES, WAYS[way])
    history = volumes(found, MINUTES)
    thirds = [at(history, 20 * MINUTES * third) for third in (1, 2, 3)]
    return {"way": way, "seed": seed, "trials": found["trials"], "files": len(found["files"]), "volumes": thirds}


def plot(cells: list[dict[str, Any]]) -> None:
    """Hypervolume at the end and at a third of the time, by way; a dot per seed."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    ways = [way for way in WAYS if any(each["way"] == way for each in cells)][::-1]
    figure, axis = pyplot.subplots(figsize=(7, 0.32 * len(ways) + 1))
    for third, color, label in ((0, "C1", f"after {20 * MINUTES:.0f} s"), (2, "C0", f"after {60 * MINUTES:.0f} s")):
        for place, way in enumerate(ways):
            values = [each["volumes"][third] for each in cells if each["way"] == way]
            axis.plot(values, [place] * len(values), "o", color=color, label=label if place == 0 else None, alpha=0.7)
    axis.set_yticks(range(len(ways)), ways, fontsize=8)
    axis.set_xlabel("hypervolume (test split), simulator (synthetic)")
    axis.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(HERE / "plot.png", dpi=110)


def main(asked: list[str]) -> None:
    """Runs what is not stored yet, two cells at a time."""
    stored: dict[str, Any] = json.loads(STORED.read_text()) if STORED.exists() else {"machine": machine(), "cells": []}
    there = {(each["way"], each["seed"]) for each in stored["cells"]}
    ways = [way for way in WAYS if not asked or way in asked]
    left = [(way, seed) for seed in range(SEEDS) for way in ways if (way, seed) not in there]
    for seed in sorted({seed for _, seed in left}):
        prepare("simulator", seed, 0)
    for place in range(0, len(left), 2):
        pair = left[place : place + 2]
        with ThreadPoolExecutor() as pool:
            stored["cells"] += list(pool.map(lambda each: one(*each[1], core=each[0]), enumerate(pair)))
        stored["mean"] = {
            way: statistics.fmean(each["volumes"][2] for each in stored["cells"] if each["way"] == way)
            for way in {each["way"] for each in stored["cells"]}
        }
        write_json(STORED, stored)
        print(*stored["cells"][-len(pair) :], sep="\n", flush=True)
        plot(stored["cells"])


if __name__ == "__main__":
    main(sys.argv[1:])
