"""How much of a log's signal does each ranking model find, and how much do several of them together?

    python experiments/ranking_models/run.py            # about 4 minutes on two cores; resumes by set and model

Each ranking kind of `conf/teacher` as it is configured there, and `teacher=ensemble`, on two logs: the **synthetic**
one of `search=ads data.rows=1000000`, and KuaiRand-Pure (../shared/data/kuairand_pure, or DATA/kuairand_pure). Beside
them stand smoothed id rates (`../id_rates.py`) and, for the synthetic log, the Bayes-optimal AUC; `gap_closed` is how
far an AUC is from the one to the other. Which single model is best is decided on validation rows. Intervals at 95 %,
rows of the test split resampled, the same for all. Bytes are those of the exported float file. Stored: `results.json`.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autocompress.artefact.export import export_mean
from autocompress.config.compose import compose
from autocompress.data.inputs import Inputs
from autocompress.data.store import Dataset, prepare
from autocompress.measure.bootstrap import auc, auc_replicates, interval, weights
from autocompress.measure.machine import machine
from autocompress.measure.quality import AUC
from autocompress.models.recommender import Recommender
from autocompress.storage import write_json
from autocompress.training.fit import predict_logits

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent))

import id_rates  # noqa: E402  it stands beside this folder

STORED = HERE / "results.json"
DATA = Path(os.environ.get("DATA", HERE.parents[2] / "shared" / "data"))
MODELS = ("dcnv2", "deepfm", "dlrm", "finalmlp", "autoint", "ensemble")
SETS: dict[str, tuple[list[str], list[list[str]]]] = {
    "simulator": (["search=ads", "data.rows=1000000"], []),
    "kuairand": (
        ["search=ads", "data=kuairand", f"data.root={DATA / 'kuairand_pure'}"],
        [["user_id", "video_id"], ["user_id", "video_id", "tab"], ["user_id", "video_id", "author_id", "tab", "tag"]],
    ),
}
"""Overrides, and fields whose rates are added up."""
Logits = NDArray[np.float32]


def mean_logits(models: tuple[Recommender, ...], inputs: Inputs) -> Logits:
    """(rows, tasks)."""
    found: Logits = np.mean([predict_logits(model, inputs) for model in models], axis=0)
    return found


def against(scores: Logits, other: Logits, labels: NDArray[np.uint8], drawn: NDArray[np.uint8]) -> dict[str, Any]:
    """AUC of scores (rows,), and how far it is above that of other scores, with intervals."""
    mine, theirs = auc_replicates(scores, labels, drawn), auc_replicates(other, labels, drawn)
    gain = auc(scores, labels) - auc(other, labels)
    return {
        "auc": auc(scores, labels),
        "ci95": list(interval(mine)),
        "above_id_rates": gain,
        "above_id_rates_ci95": list(interval(mine - theirs)),
    }


def cell(name: str, kind: str, dataset: Dataset, baselines: list[Logits], drawn: NDArray[np.uint8]) -> dict[str, Any]:
    """Trains (or finds) one model and measures it."""
    (config,) = compose([*SETS[name][0], f"teacher={kind}"])
    cache = config.cache.expanduser()
    ready = config.teacher.ready(dataset, 0, cache, None, AUC)
    logits, labels = mean_logits(ready.models, dataset.inputs("test")), dataset.labels("test")
    valid, valid_labels = mean_logits(ready.models, dataset.inputs("valid")), dataset.labels("valid")
    tasks = dataset.schema.task_names
    found: dict[str, Any] = {
        "words": config.teacher.words(),
        "valid_auc": float(np.mean([auc(valid[:, i], valid_labels[:, i]) for i in range(len(tasks))])),
        "test": {task: against(logits[:, i], baselines[i], labels[:, i], drawn) for i, task in enumerate(tasks)},
        "parameters": sum(weight.numel() for model in ready.models for weight in model.parameters()),
    }
    truth = dataset.truth("test")
    if truth is not None:
        for index, task in enumerate(tasks):
            entry, bayes = found["test"][task], auc(truth[:, index], labels[:, index])
            below = entry["auc"] - entry["above_id_rates"]
            entry |= {"bayes": bayes, "gap_closed": entry["above_id_rates"] / (bayes - below)}
    if len(ready.models) == 1:
        epochs = len(ready.weights.history)
        found |= {"rows_per_second": epochs * dataset.rows["train"] / ready.weights.seconds, "epochs": epochs}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        export_mean(ready.models, dataset.schema, path, cache)
        found["model_bytes"] = path.stat().st_size
    return found


def ensemble_gain(name: str, dataset: Dataset, models: dict[str, Any], drawn: NDArray[np.uint8]) -> dict[str, Any]:
    """The ensemble against the single model that is best on validation rows, per task."""
    single = max((kind for kind in models if kind != "ensemble"), key=lambda kind: float(models[kind]["valid_auc"]))
    logits = []
    for kind in (single, "ensemble"):
        (config,) = compose([*SETS[name][0], f"teacher={kind}"])
        models_of = config.teacher.ready(dataset, 0, config.cache.expanduser(), None, AUC).models
        logits.append(mean_logits(models_of, dataset.inputs("test")))
    found: dict[str, Any] = {"best_single": single}
    for index, task in enumerate(dataset.schema.task_names):
        labels = dataset.labels("test")[:, index]
        one, many = (auc_replicates(each[:, index], labels, drawn) for each in logits)
        gain = auc(logits[1][:, index], labels) - auc(logits[0][:, index], labels)
        found[task] = {"ensemble_above_best_single": gain, "ci95": list(interval(many - one))}
    return found


def main() -> None:
    """Runs what is not stored yet."""
    stored: dict[str, Any] = json.loads(STORED.read_text()) if STORED.exists() else {"machine": machine(), "sets": {}}
    for name, (overrides, sets) in SETS.items():
        (config,) = compose(overrides)
        dataset = prepare(config.data, config.cleaning, config.cache.expanduser())
        labels = dataset.labels("test")
        drawn = weights(len(labels), seed=5)
        baselines = [id_rates.best(dataset, index, sets) for index in range(labels.shape[1])]
        rates = {task: {"auc": auc(baselines[i], labels[:, i])} for i, task in enumerate(dataset.schema.task_names)}
        new = {"synthetic": config.data.synthetic, "rows": dataset.rows, "id_rates": rates, "models": {}}
        entry = stored["sets"].setdefault(name, new)
        for kind in MODELS:
            if kind not in entry["models"]:
                entry["models"][kind] = cell(name, kind, dataset, baselines, drawn)
                entry.pop("ensemble", None)
                write_json(STORED, stored)
            shown = {task: f"{value['auc']:.4f}" for task, value in entry["models"][kind]["test"].items()}
            print(name, kind, shown, flush=True)
        if "ensemble" not in entry:
            entry["ensemble"] = ensemble_gain(name, dataset, entry["models"], drawn)
            write_json(STORED, stored)
        print(name, json.dumps(entry["ensemble"]), flush=True)


if __name__ == "__main__":
    main()
