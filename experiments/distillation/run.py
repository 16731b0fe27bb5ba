"""What does a teacher add to a small student's training, where labels alone leave a gap at all?

    python experiments/distillation/run.py               # about 60 minutes on two cores; resumes by cell
    python experiments/distillation/run.py kuairand      # one of: simulator (**synthetic**), kuairand, census, gowalla

One student shape per log, about 1/30 of the teacher's bytes (narrow rows, stored in 4 bits with a step per field),
started at random and trained on the same rows for as many steps, `SEEDS` times per way of teaching: labels only; the
teacher's logits; logits and features; logits of an assistant that stands between; two phases, imitation first and
labels last; and logits with as many rows without labels beside the log's: other impressions of the same synthetic world
(simulator), or the log's own users beside other items (the other logs; of Census-Income, halves of two people). Bits
come in the second phase of every way. Where a log has two budgets of epochs, each way is shown at the one that is
better on validation rows. Test AUC of the first task, or recall@20 over the whole catalogue (gowalla): mean over seeds,
t interval, and the share of the gap between labels only and the teacher that a way of teaching closes. Stored:
`results.json`, `plot.png`; `python experiments/distillation/run.py tables` prints the README's tables and draws anew.
"""

from __future__ import annotations

import dataclasses
import json
import os
import statistics
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl
import torch
from scipy.stats import t as student_t

from autocompress.compress.plan import Objective, Recovery
from autocompress.compress.quantize_tables import QuantizeTables
from autocompress.data.implicit import ITEM
from autocompress.data.rows import read_rows
from autocompress.data.sources.ads_simulator import AdsSimulator
from autocompress.data.sources.kuairand import VIDEO_COLUMNS
from autocompress.measure.machine import machine
from autocompress.models.recommender import build
from autocompress.models.shape import changed
from autocompress.search.scene import Scene
from autocompress.storage import write_json
from autocompress.training.fit import FRESH, WARM, fit
from autocompress.training.teachers.from_scratch import FromScratch

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent))
from judge import Judge  # noqa: E402  it stands beside this folder

STORED = HERE / "results.json"
DATA = Path(os.environ.get("DATA", HERE.parents[2] / "shared" / "data"))
SEEDS, BITS = 5, 4
SMALL = {"embedding_dim": 4, "cross_layers": 1, "cross_rank": 32, "tower": [64]}
ASSISTANT = {"embedding_dim": 8, "cross_layers": 1, "cross_rank": 32, "tower": [128]}
LOGS: dict[str, dict[str, Any]] = {
    "simulator": {
        "overrides": ["search=ads", "data.rows=1000000"],
        "student": SMALL,
        "assistant": ASSISTANT,
        "epochs": [(1, 1), (2, 2)],
    },
    "gowalla": {
        "overrides": [
            "search=retrieval", "data=gowalla", f"data.root={DATA / 'gowalla'}", "data.negatives.each=1",
            "teacher.shape.embedding_dim=64", "teacher.shape.output=64", "teacher.training.epochs=8",
            "search_spaces=[]",
        ],
        "student": {"embedding_dim": 16, "output": 16},
        "assistant": {"embedding_dim": 32, "output": 32},
        "epochs": [(3, 1)],
    },
    "kuairand": {
        "overrides": ["search=ads", "data=kuairand", f"data.root={DATA / 'kuairand_pure'}"],
        "student": {**SMALL, "cross_rank": 16, "tower": [48]},
        "assistant": ASSISTANT,
        "epochs": [(1, 1)],
    },
    "census": {
        "overrides": ["search=ads", "data=census_income", f"data.root={DATA / 'census_income_kdd'}"],
        "student": {"embedding_dim": 4, "cross_layers": 1, "cross_rank": 8, "tower": [32]},
        "assistant": {"embedding_dim": 8, "cross_layers": 1, "cross_rank": 16, "tower": [64]},
        "epochs": [(2, 2)],
    },
}  # fmt: skip
LABELS: dict[str, Any] = {}
LOGITS: dict[str, Any] = {"distillation_weight": 1.0}
FEATURES: dict[str, Any] = {**LOGITS, "feature_weight": 0.3}
ASSISTED: dict[str, Any] = {**LOGITS, "taught_by": 1}
GUIDED: dict[str, Any] = {"distillation_weight": 0.5}
WAYS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "labels only": (LABELS, LABELS),
    "logits": (LOGITS, LOGITS),
    "logits and features": (FEATURES, FEATURES),
    "an assistant's logits": (ASSISTED, ASSISTED),
    "two phases": (FEATURES, GUIDED),
    "logits, rows without labels": (LOGITS, LOGITS),
}
"""Objectives of the two phases."""


def rows_without_labels(name: str, judge: Judge, path: Path) -> Path:
    """Impressions that nobody labelled, as many as the log has or more, as a Parquet file of its input columns."""
    source, inputs = judge.config.data, list(judge.dataset.schema.input_names)
    if isinstance(source, AdsSimulator):
        more = source.model_copy(update={"rows": 3 * source.rows})
        chunks = (frame.filter(pl.col("day") < source.days - 2) for frame in more.chunks())
        pl.concat([frame.select(inputs) for frame in chunks]).write_parquet(path)
        return path
    rows = read_rows(source, judge.dataset, "train").select(inputs)
    of_item = {"gowalla": [ITEM], "kuairand": ["video_id", "duration_ms", *VIDEO_COLUMNS], "census": inputs[::2]}[name]
    others = rows.select(column for column in inputs if column in of_item)
    order = np.random.default_rng(0).permutation(rows.height)
    rows.with_columns(others[order].get_columns()).write_parquet(path)
    return path


def trained(
    name: str, way: str, epochs: tuple[int, int], seed: int, judge: Judge, scene: Scene, folder: Path
) -> dict[str, Any]:
    """One student: its bytes, quality and seconds."""
    training, started = judge.config.teacher.training, time.perf_counter()
    torch.manual_seed(seed)
    model = build(changed(scene.shape, LOGS[name]["student"]), judge.dataset.schema, judge.dataset.encoder.rows)
    for phase, (passes, changes) in enumerate(zip(epochs, WAYS[way], strict=True)):
        if phase:
            QuantizeTables(bits=BITS, granularity="field").apply(model, scene.context)
        objective = Objective(**{**training.objective.model_dump(), **changes})
        recovery = Recovery(
            epochs=passes,
            learning_rate=training.learning_rate,
            embedding_learning_rate=training.embedding_learning_rate,
            embedding_l2=training.embedding_l2,
            mask_ids=training.mask_ids,
            batch_size=training.batch_size,
            objective=objective,
        )
        fit(
            model, judge.dataset, recovery, taught=scene.taught(objective), seed=2 * seed + phase,
            accumulator=WARM if phase else FRESH, arithmetic=scene.arithmetic,
        )  # fmt: skip
    seconds, path = time.perf_counter() - started, folder / "student.onnx"
    made = judge.file(model, path)
    return {
        "epochs": list(epochs), "seed": seed, "quality": made["quality"], "bytes": made["bytes"], "seconds": seconds,
        "valid_change": scene.rung_quality(path, model.bank.numbering),
    }  # fmt: skip


def interval(values: list[float]) -> list[float]:
    """95 % t interval of a mean."""
    half = float(student_t.ppf(0.975, len(values) - 1)) * statistics.stdev(values) / len(values) ** 0.5
    return [statistics.fmean(values) - half, statistics.fmean(values) + half]


def summary(cells: list[dict[str, Any]]) -> dict[str, Any]:
    """Mean over seeds and its 95 % t interval, at the epochs that are best on validation rows."""
    by_epochs: dict[tuple[int, int], list[dict[str, Any]]] = {}
    for cell in cells:
        by_epochs.setdefault(tuple(cell["epochs"]), []).append(cell)
    epochs, best = max(by_epochs.items(), key=lambda item: statistics.fmean(c["valid_change"] for c in item[1]))
    values = [cell["quality"] for cell in best]
    return {
        "epochs": list(epochs), "mean": statistics.fmean(values), "ci95": interval(values), "values": values,
        "seconds": statistics.fmean(cell["seconds"] for cell in best), "bytes": best[0]["bytes"],
    }  # fmt: skip


def summarise(entry: dict[str, Any]) -> None:
    """Every way beside labels only, and what it closes of the gap to the teacher."""
    found = {way: summary(cells) for way, cells in entry["ways"].items()}
    labels, teacher = found["labels only"], entry["teacher"]["quality"]
    entry["gap"] = teacher - labels["mean"]
    # a gap that the seeds' interval reaches over is none
    entry["has_gap"] = teacher > labels["ci95"][1]
    for each in found.values():
        each["share_of_gap"] = (each["mean"] - labels["mean"]) / entry["gap"]
        each["share_of_gap_ci95"] = interval([(value - labels["mean"]) / entry["gap"] for value in each["values"]])
        each["better_than_labels"] = each["ci95"][0] > labels["ci95"][1]
    entry["summary"] = found


def run(name: str, stored: dict[str, Any]) -> None:
    """Every cell of a log that is not stored yet."""
    entry = stored["logs"].setdefault(name, {"ways": {}})
    with TemporaryDirectory() as place:
        folder, log = Path(place), LOGS[name]
        judge = Judge(log["overrides"], folder)
        teacher = judge.config.teacher
        assistant = FromScratch(shape=changed(teacher.shape, log["assistant"]), training=teacher.training)
        scene = dataclasses.replace(judge.scene, assistants=(assistant,))
        beside = dataclasses.replace(scene, unlabelled=rows_without_labels(name, judge, folder / "unlabelled.parquet"))
        entry["teacher"] = {
            "quality": float(judge.teacher[0]),
            "bytes": judge.scene.teacher_file.model.stat().st_size,
        }
        entry["synthetic"] = bool(judge.config.data.synthetic)
        for way in WAYS:
            cells = entry["ways"].setdefault(way, [])
            wanted = [(epochs, seed) for epochs in log["epochs"] for seed in range(SEEDS)]
            for epochs, seed in wanted[len(cells) :]:
                sees = beside if "without labels" in way else scene
                cells.append(trained(name, way, epochs, seed, judge, sees, folder))
                write_json(STORED, stored)
                print(name, way, cells[-1], flush=True)
        summarise(entry)
        write_json(STORED, stored)
        print("\n".join(table(name, entry)), flush=True)


def table(name: str, entry: dict[str, Any]) -> list[str]:
    """The README's table of a log."""
    metric = "recall@20" if name == "gowalla" else "test AUC"
    teacher, small = entry["teacher"], entry["summary"]["labels only"]["bytes"]
    gap = f"gap {entry['gap']:.4f}" if entry["has_gap"] else "**no gap**"
    lines = [
        f"{name}{' (synthetic)' if entry['synthetic'] else ''}: teacher {teacher['quality']:.4f}, "
        f"{teacher['bytes'] / 1e3:,.0f} KB; student {small / 1e3:,.0f} KB (1/{teacher['bytes'] / small:.0f}), {gap}.",
        "",
        f"| taught by | epochs | {metric}, mean of {SEEDS} seeds (95 %) | of the gap (95 %) | seconds |",
        "|---|---|---|---|---:|",
    ]
    for way in WAYS:
        found = entry["summary"][way]
        low, high = found["ci95"]
        share = "" if not entry["has_gap"] else f"{100 * found['share_of_gap']:.0f} %"
        if share and way != "labels only":
            share += " ({:.0f} to {:.0f})".format(*(100 * end for end in found["share_of_gap_ci95"]))
        lines.append(
            f"| {way} | {'+'.join(map(str, found['epochs']))} | {found['mean']:.4f} "
            f"({low:.4f} to {high:.4f}) | {share} | {found['seconds']:.0f} |"
        )
    return [*lines, ""]


def plot(stored: dict[str, Any]) -> None:
    """Means and intervals, a panel per log."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    logs = {name: stored["logs"][name] for name in LOGS if "summary" in stored["logs"].get(name, {})}
    figure, axes = pyplot.subplots(1, len(logs), figsize=(4.2 * len(logs), 3.2), squeeze=False)
    for axis, (name, entry) in zip(axes[0], logs.items(), strict=True):
        for place, way in enumerate(WAYS):
            found = entry["summary"][way]
            axis.errorbar(found["mean"], -place, xerr=found["mean"] - found["ci95"][0], fmt="o", color="C0", capsize=3)
        axis.axvline(entry["teacher"]["quality"], color="grey", linestyle="--", linewidth=0.8)
        axis.set_yticks([-place for place in range(len(WAYS))], list(WAYS) if axis is axes[0][0] else [])
        axis.set_title(name + (" (synthetic)" if entry["synthetic"] else ""))
        axis.locator_params(axis="x", nbins=4)
        axis.set_xlabel("recall@20" if name == "gowalla" else "test AUC")
    figure.tight_layout()
    figure.savefig(HERE / "plot.png", dpi=110)


def main(names: list[str]) -> None:
    """Runs what is not stored yet."""
    stored: dict[str, Any] = json.loads(STORED.read_text()) if STORED.exists() else {"machine": machine(), "logs": {}}
    if names == ["tables"]:
        print("\n".join(line for name in LOGS for line in table(name, stored["logs"][name])))
        plot(stored)
        return
    for name in names or list(LOGS):
        run(name, stored)
        plot(stored)


if __name__ == "__main__":
    main(sys.argv[1:])
