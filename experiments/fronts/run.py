"""The fronts of the README and those of plain files: searched, stored, and every file checked again from outside.

    python experiments/fronts/run.py              # all fifteen, about 80 minutes
    python experiments/fronts/run.py kuairand     # one of them; a front that is stored is not searched again

Runs the command line as a person would, in `work/` (not committed). For every file of the front (teacher and landmarks
too) it compares bytes and sha256 with front.json, writes the test rows with `autocompress rows`, scores them with
`autocompress predict` and recomputes AUC with scikit-learn. Stored per data set in `results/<name>/`: front.json,
front.csv, trials.csv, checked.json, plot.png. Real logs are read from ../shared/data (or DATA).

ads_simulator and kuairand are the README's; the other scenarios run on their synthetic defaults,
and as `real_...` on real logs; `table_...` know nothing but a path and a label, for three minutes each.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import optuna
import polars as pl
from sklearn.metrics import roc_auc_score

from autocompress.report.wording import metric_title
from autocompress.storage import write_json

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
DATA = Path(os.environ.get("DATA", ROOT.parent / "shared" / "data"))
TABLE = ["search=ads", "data=table", "study.minutes=3"]
SCENARIOS = {
    "ecommerce": {"click": "click", "purchase": "purchase"},
    "content": {"click": "click", "finish": "finish"},
    "ranking": {"click": "click"},
    "personalized": {"interaction": "label"},
    "retrieval": {"interaction": "label"},
}
BEAUTY = ["data=amazon_sequences", f"data.root={DATA}/sequences", "data.negatives.each=1"]
REAL = {
    "real_ecommerce": ["search=ecommerce", *BEAUTY, "study.minutes=3"],
    "real_content": ["search=content", "data=kuairand", f"data.root={DATA}/kuairand_pure", "study.minutes=2"],
    "real_ranking": [
        "search=ranking", *TABLE[1:], f"data.path={DATA}/kuairand_pure/log_*.parquet", "data.label=is_click",
        "data.group=user_id",
    ],
    "real_personalized": ["search=personalized", *BEAUTY, "study.minutes=6"],
    "real_retrieval": ["search=retrieval", "data=gowalla", f"data.root={DATA}/gowalla", "study.minutes=3"],
}  # fmt: skip
COMMANDS = {
    "ads_simulator": ["search=ads"],
    "kuairand": ["search=ads", "data=kuairand", f"data.root={DATA}/kuairand_pure", "study.minutes=12"],
    **{name: [f"search={name}"] for name in SCENARIOS},
    **REAL,
    "table_kuairand": [*TABLE, f"data.path={DATA}/kuairand_pure/log_*.parquet", "data.label=is_click"],
    "table_census": [*TABLE, f"data.path={DATA}/census_income_kdd", "data.label=income_50k"],
    "table_criteo": [*TABLE, f"data.path={DATA}/criteo_raw8k", "data.label=column_1"],
}
LABELS = {
    **SCENARIOS,
    "real_ecommerce": SCENARIOS["personalized"],
    "real_content": {"click": "is_click", "long_view": "long_view"},
    "real_ranking": {"is_click": "is_click"},
    "real_personalized": SCENARIOS["personalized"],
    "real_retrieval": SCENARIOS["retrieval"],
    "ads_simulator": {"click": "click", "conversion": "conversion"},
    "kuairand": {"click": "is_click", "long_view": "long_view"},
    "table_kuairand": {"is_click": "is_click"},
    "table_census": {"income_50k": "income_50k"},
    "table_criteo": {"column_1": "column_1"},
}


def autocompress(*words: str, folder: Path) -> None:
    """Runs the command line in `folder`."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-m", "autocompress", *words], cwd=folder, env=environment, check=True)


def check(name: str, front: dict[str, Any], folder: Path, work: Path) -> list[dict[str, Any]]:
    """One entry per file; `AssertionError` where a file is not what front.json says."""
    rows = work / f"{name}_test.parquet"
    autocompress("rows", *COMMANDS[name], "split=test", f"output={rows}", folder=work)
    labels = pl.read_parquet(rows, columns=list(LABELS[name].values()))
    checked = []
    for file in [front["teacher"], *front["landmarks"], *front["points"]]:
        bundle = folder / file["artefact"]
        model = bundle / "model.onnx"
        assert model.stat().st_size == file["model_bytes"], file["name"]
        assert hashlib.sha256(model.read_bytes()).hexdigest() == file["sha256"], file["name"]
        output = work / f"{name}_scores.parquet"
        autocompress("predict", f"artefact={bundle}", f"input={rows}", f"output={output}", folder=work)
        scores = pl.read_parquet(output)
        assert scores.height == labels.height
        found = {task: float(roc_auc_score(labels[label], scores[task])) for task, label in LABELS[name].items()}
        gap = max(abs(found[task] - file["quality"][task]["auc"]["test"]) for task in found)
        assert gap <= 1e-4, (file["name"], gap)
        checked.append({"file": file["name"], "sha256": file["sha256"], "sklearn_auc": found, "largest_gap": gap})
    return checked


def trials(folder: Path) -> pl.DataFrame:
    """One row per trial: how it ended; at each rung its seconds and mean AUC change from the teacher (validation)."""
    storage = f"sqlite:///{folder.parents[1] / 'autocompress.db'}"
    study = optuna.load_study(study_name=folder.name, storage=storage)
    rows = []
    for trial in study.get_trials(deepcopy=False):
        row = {"trial": trial.number, "state": trial.state.name, "stopped_at": trial.user_attrs.get("stopped_at")}
        for seen in trial.user_attrs.get("rungs", []):
            row |= {f"change_{seen['rung']}": -seen["vector"][0], f"seconds_{seen['rung']}": seen["seconds"]}
        rows.append(row)
    return pl.DataFrame(rows, infer_schema_length=None)


def plot(name: str, front: dict[str, Any]) -> None:
    """Change of the metric that was aimed at against bytes on the test split, one panel per task."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
    from matplotlib.ticker import LogLocator

    metric, tasks = front["metric"], list(front["teacher"]["quality"])
    figure, axes = pyplot.subplots(1, len(tasks), figsize=(5 * len(tasks), 3.6), constrained_layout=True, squeeze=False)
    for axis, task in zip(axes[0], tasks, strict=True):
        for files, marker, colour in (
            ([front["teacher"]], "*", "C0"),
            (front["landmarks"], "D", "C7"),
            (front["points"], "o", "C2"),
        ):
            for file in files:
                value = file["quality"][task][metric]
                low, high = value["test_drop_ci95"]
                change = -value["test_drop"]
                bars = [[max(0.0, change + high)], [max(0.0, -low - change)]]
                size = file["model_bytes"] / 1e3
                axis.errorbar(size, change, yerr=bars, fmt=marker, color=colour, markersize=7)
                if marker != "o":
                    offset = (-18, -14) if marker == "*" else (4, 6)
                    axis.annotate(file["name"], (size, change), textcoords="offset points", xytext=offset, fontsize=8)
        axis.axhline(0.0, color="grey", linewidth=0.5)
        axis.set_xscale("log")
        axis.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.xaxis.set_major_formatter("{x:,.0f}")
        axis.xaxis.set_minor_formatter("")
        axis.set_title(task + (" (synthetic)" if front["data"]["synthetic"] else ""))
        axis.set_xlabel("KB of model.onnx")
        axis.set_ylabel(f"test {metric_title(metric)}:\nchange from the teacher")
    figure.savefig(HERE / "results" / name / "plot.png", dpi=120)


def main(names: list[str]) -> None:
    """Searches, checks and stores each front that is not stored yet; draws those that are again."""
    for name in names or list(COMMANDS):
        results = HERE / "results" / name
        if (results / "checked.json").exists():
            plot(name, json.loads((results / "front.json").read_text()))
            print(f"{name}: stored already")
            continue
        work = HERE / "work" / name
        work.mkdir(parents=True, exist_ok=True)
        started = time.perf_counter()
        autocompress(*COMMANDS[name], folder=work)
        seconds = time.perf_counter() - started
        (folder,) = (work / "outputs").glob("*-*")
        front = json.loads((folder / "front.json").read_text())
        checked = check(name, front, folder, work)
        results.mkdir(parents=True, exist_ok=True)
        for file in ("front.json", "front.csv"):
            shutil.copy(folder / file, results / file)
        trials(folder).write_csv(results / "trials.csv")
        plot(name, front)
        command = " ".join(COMMANDS[name]).replace(str(DATA), "../shared/data")
        entry = {"command": f"python -m autocompress {command}", "seconds": seconds, "files": checked}
        write_json(results / "checked.json", entry)
        print(f"{name}: {len(checked)} files checked, search took {seconds:.0f} s")


if __name__ == "__main__":
    main(sys.argv[1:])
