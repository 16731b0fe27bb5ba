"""Does capacity matter on the ads simulator? Five seeds of the teacher and of the small landmark from scratch.

    python experiments/simulator/run.py        # about 9 minutes on two cores; resumes by (seed, model)

Cells: `teacher` and `small` as `search=ads` trains them, and `teacher_recovered`: the teacher trained on with the
recovery that trials get (the latest 320,000 rows, labels only), because a student's gain over the teacher may be no
more than that. Everything is measured on the test split of the synthetic log, in float, with the torch model.
Stored: `results/<model>_<seed>.json`, then `summary.json` (means, 95 % t intervals over seeds) and `plot.png`.
"""

from __future__ import annotations

import copy
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import t as student_t

from autocompress.compress.plan import Recovery
from autocompress.config.compose import compose
from autocompress.data.store import Dataset, prepare
from autocompress.measure.bootstrap import auc
from autocompress.measure.quality import AUC
from autocompress.models.recommender import Recommender
from autocompress.search.config import SearchConfig
from autocompress.storage import write_json
from autocompress.training.fit import WARM, fit, predict_logits

HERE = Path(__file__).parent
SEEDS = range(5)
MODELS = ("teacher", "small", "teacher_recovered")
RECOVERY_ROWS = 320_000


def test_auc(model: Recommender, dataset: Dataset) -> dict[str, float]:
    """Test AUC per task."""
    logits, labels = predict_logits(model, dataset.inputs("test")), dataset.labels("test")
    return {task: auc(logits[:, i], labels[:, i]) for i, task in enumerate(dataset.schema.task_names)}


def cell(name: str, seed: int, config: SearchConfig, dataset: Dataset) -> dict[str, Any]:
    """Trains (or finds) one model and measures it."""
    cache = config.cache.expanduser()
    started = time.perf_counter()
    wanted = config.landmarks["small"] if name == "small" else config.teacher
    model = wanted.ready(dataset, seed, cache, None, AUC).weights.model
    if name == "teacher_recovered":
        model = copy.deepcopy(model)
        recovery = Recovery(data_share=RECOVERY_ROWS / dataset.rows["train"], mask_ids=wanted.training.mask_ids)
        fit(model, dataset, recovery, taught=None, seed=seed, accumulator=WARM)
    return {
        "model": name,
        "seed": seed,
        "synthetic": True,
        "test_auc": test_auc(model, dataset),
        "float_bytes": sum(4 * p.numel() for p in model.parameters()),
        "seconds": time.perf_counter() - started,
        "data": dataset.digest,
    }


def summarise(dataset: Dataset) -> dict[str, Any]:
    """Mean and 95 % t interval over seeds, per model and task."""
    truth, labels = dataset.truth("test"), dataset.labels("test")
    assert truth is not None
    tasks = dataset.schema.task_names
    summary: dict[str, Any] = {
        "synthetic": True,
        "data": dataset.digest,
        "bayes_test_auc": {task: auc(truth[:, i], labels[:, i]) for i, task in enumerate(tasks)},
        "models": {},
    }
    for name in MODELS:
        cells = [json.loads((HERE / "results" / f"{name}_{seed}.json").read_text()) for seed in SEEDS]
        summary["models"][name] = {"float_bytes": cells[0]["float_bytes"], "test_auc": {}}
        for task in tasks:
            values = np.array([cell["test_auc"][task] for cell in cells])
            half = student_t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
            summary["models"][name]["test_auc"][task] = {
                "mean": float(values.mean()),
                "ci95": [float(values.mean() - half), float(values.mean() + half)],
                "seeds": values.tolist(),
            }
    return summary


def plot(summary: dict[str, Any]) -> None:
    """Dots per seed and intervals, one panel per task."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    tasks = list(summary["bayes_test_auc"])
    figure, axes = pyplot.subplots(1, len(tasks), figsize=(9, 3.2), constrained_layout=True)
    for axis, task in zip(axes, tasks, strict=True):
        for row, name in enumerate(MODELS):
            facts = summary["models"][name]["test_auc"][task]
            axis.plot(facts["seeds"], [row] * len(facts["seeds"]), "o", alpha=0.5, color=f"C{row}")
            axis.hlines(row, *facts["ci95"], color=f"C{row}", linewidth=4, alpha=0.6)
        axis.set_yticks(range(len(MODELS)), [name.replace("_", "\n") for name in MODELS])
        axis.set_ylim(-0.6, len(MODELS) - 0.4)
        axis.set_title(f"{task} (Bayes {summary['bayes_test_auc'][task]:.3f})")
        axis.set_xlabel("test AUC, five seeds, synthetic data")
    figure.savefig(HERE / "plot.png", dpi=120)


def main() -> None:
    """Runs the cells that are missing, then summarises."""
    (config,) = compose(["search=ads"])
    dataset = prepare(config.data, config.cleaning, config.cache.expanduser())
    torch.set_num_threads(2)
    for seed in SEEDS:
        for name in MODELS:
            path = HERE / "results" / f"{name}_{seed}.json"
            if path.exists() and json.loads(path.read_text())["data"] == dataset.digest:
                continue
            result = cell(name, seed, config, dataset)
            write_json(path, result)
            print(name, seed, {task: round(value, 4) for task, value in result["test_auc"].items()}, flush=True)
    summary = summarise(dataset)
    write_json(HERE / "summary.json", summary)
    plot(summary)


if __name__ == "__main__":
    main()
