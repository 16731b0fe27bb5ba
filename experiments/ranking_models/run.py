"""How much of the simulator's signal does each ranking model find in 1 M rows?

    python experiments/ranking_models/run.py      # about 15 minutes on two cores; resumes by model

Each ranking kind of `conf/teacher` as it is configured there, trained on the **synthetic** log of `search=ads
data.rows=1000000` and measured on its test split, beside smoothed id rates (the best of every field and of the product
of all fields' odds) and the Bayes-optimal AUC. `gap_closed` is (AUC - id rates) / (Bayes - id rates). Bytes are those
of the exported float file. Stored: `results.json`, one entry per model.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autocompress.artefact.export import export
from autocompress.config.compose import compose
from autocompress.data.store import Dataset, prepare
from autocompress.measure.bootstrap import auc
from autocompress.measure.machine import machine
from autocompress.measure.quality import AUC
from autocompress.storage import write_json
from autocompress.training.fit import predict_logits

HERE = Path(__file__).parent
STORED = HERE / "results.json"
MODELS = ("dcnv2", "deepfm", "dlrm", "finalmlp", "autoint")
PRIOR = 20.0
OVERRIDES = ["search=ads", "data.rows=1000000"]


def rates(dataset: Dataset, task: int) -> list[NDArray[np.float64]]:
    """Smoothed training log odds of each test row's id, one array (test rows,) per field."""
    labels = dataset.labels("train")[:, task].astype(np.float64)
    mean = labels.mean()
    found = []
    for field, rows in enumerate(dataset.encoder.rows):
        ids = dataset.ids("train")[:, field]
        positives, seen = np.bincount(ids, labels, minlength=rows), np.bincount(ids, minlength=rows)
        rate = (positives + PRIOR * mean) / (seen + PRIOR)
        found.append(np.log(rate / (1 - rate))[dataset.ids("test")[:, field]])
    return found


def baselines(dataset: Dataset) -> dict[str, dict[str, float]]:
    """Per task: AUC of the best smoothed id rates, and of the true probabilities."""
    truth, labels = dataset.truth("test"), dataset.labels("test")
    assert truth is not None
    found = {}
    for index, task in enumerate(dataset.schema.task_names):
        odds = rates(dataset, index)
        scores = [*odds, np.sum(odds, axis=0)]
        best = max(auc(each.astype(np.float32), labels[:, index]) for each in scores)
        found[task] = {"id_rates": best, "bayes": auc(truth[:, index], labels[:, index])}
    return found


def cell(kind: str, dataset: Dataset, base: dict[str, dict[str, float]]) -> dict[str, Any]:
    """Trains (or finds) one model and measures it."""
    (config,) = compose([*OVERRIDES, f"teacher={kind}"])
    cache = config.cache.expanduser()
    trained = config.teacher.ready(dataset, 0, cache, None, AUC).weights
    logits, labels = predict_logits(trained.model, dataset.inputs("test")), dataset.labels("test")
    found = {task: auc(logits[:, i], labels[:, i]) for i, task in enumerate(dataset.schema.task_names)}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        export(trained.model, dataset.schema, path, cache)
        size = path.stat().st_size
    rows = len(trained.history) * dataset.rows["train"]
    return {
        "words": config.teacher.shape.words(),
        "test_auc": found,
        "gap_closed": {
            task: (value - base[task]["id_rates"]) / (base[task]["bayes"] - base[task]["id_rates"])
            for task, value in found.items()
        },
        "rows_per_second": rows / trained.seconds,
        "epochs": len(trained.history),
        "parameters": sum(parameter.numel() for parameter in trained.model.parameters()),
        "model_bytes": size,
    }


def main() -> None:
    """Runs what is not stored yet."""
    stored: dict[str, Any] = json.loads(STORED.read_text()) if STORED.exists() else {"models": {}}
    (config,) = compose(OVERRIDES)
    dataset = prepare(config.data, config.cleaning, config.cache.expanduser())
    if "baselines" not in stored:
        stored |= {"synthetic": True, "machine": machine(), "rows": dataset.rows, "baselines": baselines(dataset)}
        write_json(STORED, stored)
    for kind in MODELS:
        if kind not in stored["models"]:
            stored["models"][kind] = cell(kind, dataset, stored["baselines"])
            write_json(STORED, stored)
        entry = stored["models"][kind]
        print(
            kind, {task: f"{value:.4f}" for task, value in entry["test_auc"].items()}, entry["gap_closed"], flush=True
        )


if __name__ == "__main__":
    main()
