"""How soon is a compressed student as good as full recovery makes it? AUC over seconds, by way of training.

    python experiments/progressive/run.py               # about 16 minutes on two cores; resumes by cell
    python experiments/progressive/run.py kuairand      # one of: simulator (**synthetic**), kuairand

A teacher's student (a part of the rows, half of the channels, 4 bit rows, int8), taught by the teacher's logits, for
several budgets of training rows: everything applied at once, then recovery; removed step by step in three stages while
bits fall, rates start anew and data grow; everything applied at once, then only biases, norms, steps, head and low-rank
adapters trained; and the student's shape from random weights, as the teacher was trained. Seconds are those of
training, the transforms' counted. Test AUC of the first task from the exported file, mean over `SEEDS`, with the least
and the largest. *Full recovery* is two passes over the log, the teacher's own budget; `reaches_full` is the first
budget at which a way is within .0005 of it, and its share of those seconds. Stored: `results.json`, `plot.png`.
"""

from __future__ import annotations

import copy
import json
import os
import statistics
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from autocompress.compress.channels import Channels
from autocompress.compress.plan import Objective, Recovery, Stage
from autocompress.compress.quantize_dense import QuantizeDense
from autocompress.compress.quantize_tables import QuantizeTables
from autocompress.compress.rows import Rows
from autocompress.compress.transform import Transform
from autocompress.measure.machine import machine
from autocompress.models.recommender import Recommender, build
from autocompress.search.stages import Stages, staged
from autocompress.storage import write_json
from autocompress.training.fit import FRESH, WARM, fit

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent))
from judge import Judge  # noqa: E402  it stands beside this folder

STORED = HERE / "results.json"
DATA = Path(os.environ.get("DATA", HERE.parents[2] / "shared" / "data"))
SEEDS, NEAR, SMALL = 5, 0.0005, ("biases", "norms", "steps", "head", "adapters")
LOGS = {
    "simulator": ["search=ads", "data.rows=1000000"],
    "kuairand": ["search=ads", "data=kuairand", f"data.root={DATA / 'kuairand_pure'}"],
}
KEEP = {"simulator": 0.2, "kuairand": 0.5}
"""Of rows: on KuaiRand four fifths of them hold what no training brings back."""
BUDGETS = (0.1, 0.2, 0.4, 0.65, 2.0)
"""Training rows seen, as a share of the log."""
STEPS = (0.1, 0.2, 0.7)
"""Shares of a budget that the stages of `step by step` get."""
OBJECTIVE = Objective(distillation_weight=1.0)
RATES = {"learning_rate": 3e-3, "embedding_learning_rate": 0.03}
WAYS = ("full recovery", "step by step", "few parts", "from random weights")


def recovery(share: float, judge: Judge, **more: Any) -> Recovery:
    """Passes over as many of the latest rows as `share` says."""
    epochs = max(1, round(share))
    return Recovery(
        data_share=min(1.0, share / epochs), epochs=epochs, mask_ids=judge.scene.mask_ids, objective=OBJECTIVE,
        **{**RATES, **more},
    )  # fmt: skip


def stages_of(name: str, way: str, budget: float, judge: Judge) -> tuple[Stage, ...]:
    """What is applied when, and how long each stage trains."""
    transforms: tuple[Transform, ...] = (
        Rows(keep=KEEP[name]), Channels(ratio=0.5), QuantizeTables(bits=4), QuantizeDense(),
    )  # fmt: skip
    if way == "step by step":
        parts = [recovery(budget * share, judge) for share in STEPS]
        return staged(transforms, parts, OBJECTIVE, Stages(removal="rising"))
    more: dict[str, Any] = {"trains": SMALL} if way == "few parts" else {}
    if way == "from random weights":
        training = judge.config.teacher.training
        more = {
            "learning_rate": training.learning_rate,
            "embedding_learning_rate": training.embedding_learning_rate,
        }
    return (Stage(transforms=transforms, recovery=recovery(budget, judge, **more)),)


def cell(name: str, way: str, budget: float, seed: int, judge: Judge, folder: Path) -> dict[str, Any]:
    """One student: quality, seconds, and how many numbers were trained."""
    scene, fresh = judge.scene, way == "from random weights"
    torch.manual_seed(seed)
    model: Recommender = (
        build(scene.shape, judge.dataset.schema, judge.dataset.encoder.rows)
        if fresh
        else copy.deepcopy(scene.teacher.weights.model)
    )
    taught, trained, started = scene.taught(OBJECTIVE), 0, time.perf_counter()
    for index, stage in enumerate(stages_of(name, way, budget, judge)):
        for each in stage.transforms:
            each.apply(model, scene.context)
        trained = fit(
            model, judge.dataset, stage.recovery, taught=taught, seed=seed + index,
            accumulator=FRESH if fresh else WARM, arithmetic=scene.arithmetic,
        )  # fmt: skip
    seconds = time.perf_counter() - started
    made = judge.file(model, folder / "student.onnx")
    return {
        "budget": budget, "seed": seed, "quality": made["quality"], "bytes": made["bytes"], "seconds": seconds,
        "trained_parameters": trained,
    }  # fmt: skip


def summarise(entry: dict[str, Any]) -> None:
    """Means by budget, and when each way is as good as full recovery."""
    entry["summary"] = {}
    for way, cells in entry["ways"].items():
        by_budget = {budget: [each for each in cells if each["budget"] == budget] for budget in BUDGETS}
        entry["summary"][way] = [
            {
                **{key: statistics.fmean(each[key] for each in some) for key in ("quality", "seconds")},
                "budget": budget,
                "trained_parameters": some[0]["trained_parameters"],
                "least": min(each["quality"] for each in some),
                "largest": max(each["quality"] for each in some),
            }
            for budget, some in by_budget.items()
        ]
    full = entry["full_recovery"] = entry["summary"]["full recovery"][-1]
    entry["reaches_full"] = {}
    for way, found in entry["summary"].items():
        first = next((each for each in found if each["quality"] >= full["quality"] - NEAR), None)
        entry["reaches_full"][way] = None if first is None else {
            "budget": first["budget"], "seconds": first["seconds"], "share": first["seconds"] / full["seconds"]
        }  # fmt: skip


def run(name: str, stored: dict[str, Any]) -> None:
    """Every cell of a log that is not stored yet."""
    entry = stored["logs"].setdefault(name, {"ways": {}})
    with TemporaryDirectory() as place:
        judge = Judge(LOGS[name], Path(place))
        entry["teacher"] = float(judge.teacher[0])
        entry["synthetic"] = bool(judge.config.data.synthetic)
        for way in WAYS:
            cells = entry["ways"].setdefault(way, [])
            wanted = [(budget, seed) for budget in BUDGETS for seed in range(SEEDS)]
            for budget, seed in wanted[len(cells) :]:
                cells.append(cell(name, way, budget, seed, judge, Path(place)))
                write_json(STORED, stored)
                print(name, way, cells[-1], flush=True)
        summarise(entry)
        write_json(STORED, stored)
        print(name, json.dumps({"full": entry["full_recovery"], "reaches": entry["reaches_full"]}), flush=True)


def plot(stored: dict[str, Any]) -> None:
    """AUC over seconds, a panel per log."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    logs = {name: entry for name, entry in stored["logs"].items() if "summary" in entry}
    figure, axes = pyplot.subplots(1, len(logs), figsize=(5.5 * len(logs), 3.8), squeeze=False)
    for axis, (name, entry) in zip(axes[0], logs.items(), strict=True):
        for way in WAYS:
            found = entry["summary"][way]
            axis.plot([each["seconds"] for each in found], [each["quality"] for each in found], "o-", label=way)
        axis.axhline(entry["teacher"], color="grey", linestyle="--", linewidth=0.8, label="teacher")
        shown = [each["quality"] for way in WAYS[:-1] for each in entry["summary"][way]]
        axis.set_ylim(min(shown) - 0.002, max(*shown, entry["teacher"]) + 0.001)
        axis.set_xscale("log")
        axis.set_xticks([1, 2, 5, 10, 20], ["1", "2", "5", "10", "20"])
        axis.minorticks_off()
        axis.set_xlabel("seconds of training")
        axis.set_ylabel("test AUC")
        axis.set_title(name + (" (synthetic)" if entry["synthetic"] else ""))
    axes[0][-1].legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(HERE / "plot.png", dpi=110)


def main(names: list[str]) -> None:
    """Runs what is not stored yet."""
    stored: dict[str, Any] = json.loads(STORED.read_text()) if STORED.exists() else {"machine": machine(), "logs": {}}
    for name in names or list(LOGS):
        run(name, stored)
        plot(stored)


if __name__ == "__main__":
    main(sys.argv[1:])
