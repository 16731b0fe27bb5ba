"""What does a teacher add to a small student's training, where labels alone leave a gap at all?

    python experiments/distillation/run.py               # about 25 minutes on two cores; resumes by cell
    python experiments/distillation/run.py kuairand      # one of: simulator (**synthetic**), kuairand, census, gowalla

One student shape per log, about 1/30 of the teacher's bytes, started at random and trained on the same rows for as many
steps, `SEEDS` times per way of teaching: labels only; the teacher's logits; logits and features; logits of an assistant
that stands between; and two phases, imitation first and labels last. Test AUC of the first task, or recall@20 over the
whole catalogue (gowalla): mean over seeds, t interval, and the share of the gap between labels only and the teacher
that a way of teaching closes. Stored: `results.json`, `plot.png`.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from scipy.stats import t as student_t

from autocompress.compress.plan import Objective, Recovery
from autocompress.compress.rows import Rows
from autocompress.measure.machine import machine
from autocompress.models.recommender import Recommender, build
from autocompress.models.shape import changed
from autocompress.storage import write_json
from autocompress.training.fit import FRESH, fit
from autocompress.training.teachers.from_scratch import FromScratch

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent))
from judge import Judge  # noqa: E402  it stands beside this folder

STORED = HERE / "results.json"
DATA = Path(os.environ.get("DATA", HERE.parents[2] / "shared" / "data"))
SEEDS = 5
LOGS: dict[str, dict[str, Any]] = {
    "simulator": {
        "overrides": ["search=ads", "data.rows=1000000"],
        "student": {"embedding_dim": 4, "cross_layers": 1, "cross_rank": 8, "tower": [32]},
        "assistant": {"embedding_dim": 8, "cross_layers": 1, "cross_rank": 32, "tower": [128]},
        "keep": 0.12,
    },
    "kuairand": {
        "overrides": ["search=ads", "data=kuairand", f"data.root={DATA / 'kuairand_pure'}"],
        "student": {"embedding_dim": 4, "cross_layers": 1, "cross_rank": 8, "tower": [32]},
        "assistant": {"embedding_dim": 8, "cross_layers": 1, "cross_rank": 32, "tower": [128]},
        "keep": 0.2,
    },
    "census": {
        "overrides": ["search=ads", "data=census_income", f"data.root={DATA / 'census_income_kdd'}"],
        "student": {"embedding_dim": 2, "cross_layers": 1, "cross_rank": 4, "tower": [8]},
        "assistant": {"embedding_dim": 8, "cross_layers": 1, "cross_rank": 16, "tower": [64]},
        "keep": 1.0,
    },
    "gowalla": {
        "overrides": [
            "search=retrieval", "data=gowalla", f"data.root={DATA / 'gowalla'}", "data.negatives.each=1",
            "teacher.shape.embedding_dim=64", "teacher.shape.output=64", "teacher.training.epochs=8",
            "search_spaces=[]",
        ],
        "student": {"embedding_dim": 2, "output": 2},
        "assistant": {"embedding_dim": 8, "output": 8},
        "keep": 1.0,
    },
}  # fmt: skip
LOGITS: dict[str, Any] = {"distillation_weight": 0.8, "temperature": 2.0}
FEATURES: dict[str, Any] = {**LOGITS, "feature_weight": 0.1, "relational_weight": 1.0}
IMITATION: dict[str, Any] = {**FEATURES, "distillation_weight": 1.0}
Stages = list[dict[str, Any]]
WAYS: dict[str, Stages] = {
    "labels only": [{}],
    "logits": [LOGITS],
    "logits and features": [FEATURES],
    "an assistant's logits": [{**LOGITS, "taught_by": 1}],
    "two phases": [IMITATION, LOGITS],
}
"""Objectives of the stages, which share the epochs."""


def student_of(name: str, seed: int, judge: Judge) -> Recommender:
    """Of its shape, with fewer rows where the log says so, started at random."""
    torch.manual_seed(seed)
    shape = changed(judge.scene.shape, LOGS[name]["student"])
    model = build(shape, judge.dataset.schema, judge.dataset.encoder.rows)
    if LOGS[name]["keep"] < 1.0:
        Rows(keep=LOGS[name]["keep"]).apply(model, judge.scene.context)
    return model


def trained(name: str, way: str, seed: int, judge: Judge, folder: Path) -> dict[str, Any]:
    """One student: its bytes, quality and seconds."""
    training, stages = judge.config.teacher.training, WAYS[way]
    model, started = student_of(name, seed, judge), time.perf_counter()
    for index, changes in enumerate(stages):
        objective = Objective(**{**training.objective.model_dump(), **changes})
        # every way sees each row as often: epochs are shared by the stages
        recovery = Recovery(
            data_share=1.0,
            epochs=max(1, training.epochs // len(stages)),
            learning_rate=training.learning_rate,
            embedding_learning_rate=training.embedding_learning_rate,
            embedding_l2=training.embedding_l2,
            mask_ids=training.mask_ids,
            batch_size=training.batch_size,
            objective=objective,
        )
        taught = judge.scene.taught(objective)
        fit(
            model, judge.dataset, recovery, taught=taught, seed=seed + index, accumulator=FRESH,
            arithmetic=judge.scene.arithmetic,
        )  # fmt: skip
    seconds = time.perf_counter() - started
    made = judge.file(model, folder / "student.onnx")
    return {"seed": seed, "quality": made["quality"], "bytes": made["bytes"], "seconds": seconds}


def summary(cells: list[dict[str, Any]]) -> dict[str, Any]:
    """Mean over seeds and its 95 % t interval."""
    values = [cell["quality"] for cell in cells]
    mean = statistics.fmean(values)
    half = float(student_t.ppf(0.975, len(values) - 1)) * statistics.stdev(values) / len(values) ** 0.5
    return {"mean": mean, "ci95": [mean - half, mean + half]}


def run(name: str, stored: dict[str, Any]) -> None:
    """Every cell of a log that is not stored yet."""
    entry = stored["logs"].setdefault(name, {"ways": {}})
    with TemporaryDirectory() as place:
        folder, log = Path(place), LOGS[name]
        judge = Judge(log["overrides"], folder)
        teacher = judge.config.teacher
        assistant = FromScratch(shape=changed(teacher.shape, log["assistant"]), training=teacher.training)
        judge = Judge(log["overrides"], folder, (assistant,))
        entry["teacher"] = {
            "quality": float(judge.teacher[0]),
            "bytes": judge.scene.teacher_file.model.stat().st_size,
        }
        entry["synthetic"] = bool(judge.config.data.synthetic)
        for way in WAYS:
            cells = entry["ways"].setdefault(way, [])
            for seed in range(len(cells), SEEDS):
                cells.append(trained(name, way, seed, judge, folder))
                write_json(STORED, stored)
                print(name, way, cells[-1], flush=True)
        labels = summary(entry["ways"]["labels only"])
        gap = entry["teacher"]["quality"] - labels["mean"]
        entry["summary"] = {
            way: {**(found := summary(cells)), "share_of_gap": (found["mean"] - labels["mean"]) / gap}
            for way, cells in entry["ways"].items()
        }
        entry["gap"] = gap
        write_json(STORED, stored)
        print(name, json.dumps({"gap": gap, **entry["summary"]}), flush=True)


def plot(stored: dict[str, Any]) -> None:
    """Means and intervals, a panel per log."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    logs = {name: entry for name, entry in stored["logs"].items() if "summary" in entry}
    figure, axes = pyplot.subplots(1, len(logs), figsize=(4.2 * len(logs), 3.2), squeeze=False)
    for axis, (name, entry) in zip(axes[0], logs.items(), strict=True):
        for place, (_, found) in enumerate(entry["summary"].items()):
            axis.errorbar(found["mean"], -place, xerr=found["mean"] - found["ci95"][0], fmt="o", color="C0", capsize=3)
        axis.axvline(entry["teacher"]["quality"], color="grey", linestyle="--", linewidth=0.8)
        axis.set_yticks([-place for place in range(len(WAYS))], list(WAYS) if axis is axes[0][0] else [])
        axis.set_title(name + (" (synthetic)" if entry["synthetic"] else ""))
        axis.set_xlabel("recall@20" if name == "gowalla" else "test AUC")
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
