"""What does each method cost and save, alone: bytes, milliseconds, quality at once and after a short recovery?

    python experiments/methods/run.py                 # about 40 minutes on two cores; resumes by cell
    python experiments/methods/run.py kuairand        # one of: simulator (**synthetic**), kuairand, gowalla

Every method of `cells.py` at its strengths is applied to one teacher's weights and measured on the exported file:
bytes, speed-up over the teacher's file at batch 1, 64 and 256 (interleaved, one thread), quality on test rows at once,
and after the same short recovery for all. Beside them: the teacher, `quantize_dynamic` of the teacher, and small models
trained from scratch; a method is held against the smallest of these that is no smaller than its file. Quality is AUC of
the first task, or recall@20 over the whole catalogue (gowalla); changes from the teacher with paired 95 % intervals.
Stored: `results.json`, `plot.png`.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cells import DENSE, METHODS, OBJECTIVE, RECOVERY, SCRATCH, TEACHERS

from autocompress.compress.plan import Plan
from autocompress.measure.machine import machine
from autocompress.models.shape import changed
from autocompress.search.landmarks import ship_stock
from autocompress.search.trial import one_shot
from autocompress.storage import write_json
from autocompress.training.fit import WARM, fit
from autocompress.training.teachers.from_scratch import FromScratch

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent))
from judge import Judge, table_bytes  # noqa: E402  it stands beside this folder

STORED = HERE / "results.json"


def method(name: str, transforms: list[dict[str, Any]], judge: Judge, folder: Path) -> dict[str, Any]:
    """A method at one strength: at once, and after the recovery that all get."""
    recovery = {**RECOVERY[name], "objective": OBJECTIVE[name], "mask_ids": judge.scene.mask_ids}
    shape = judge.config.teacher.shape.model_dump(mode="json")
    plan = Plan.model_validate({"student": shape, "stages": [{"transforms": transforms, "recovery": recovery}]})
    model, _ = one_shot(plan, judge.scene)
    path, stage = folder / "cell.onnx", plan.stages[0].recovery
    at_once = judge.file(model, path)
    sizes = {key: at_once.pop(key) for key in ("bytes", "table_bytes", "bytes_of_largest_table") if key in at_once}
    found = {"transforms": transforms, **sizes, "at_once": at_once}
    found["times_faster"] = judge.speed(path, model.bank.numbering)
    started = time.perf_counter()
    fit(
        model,
        judge.dataset,
        stage,
        taught=judge.scene.taught(stage.objective),
        seed=0,
        accumulator=WARM,
        arithmetic=judge.scene.arithmetic,
    )
    found["recovery_seconds"] = time.perf_counter() - started
    recovered = judge.file(model, path)
    return {**found, "recovered": {key: recovered[key] for key in ("quality", "change", "change_ci95")}}


def scratch(changes: dict[str, Any], judge: Judge, folder: Path) -> dict[str, Any]:
    """A small model trained on labels alone."""
    teacher = judge.config.teacher
    config = FromScratch(shape=changed(teacher.shape, changes), training=teacher.training)
    model = config.ready(judge.dataset, 0, judge.scene.cache, None, judge.config.goal).weights.model
    return {"shape": changes, **judge.file(model, folder / "scratch.onnx")}


def stock(judge: Judge, folder: Path) -> dict[str, Any]:
    """ONNX Runtime's own tool."""
    made = ship_stock(judge.scene.teacher_file, judge.dataset, folder).model
    return {
        "bytes": made.stat().st_size,
        **judge.change(made, judge.scene.numbering),
        "times_faster": judge.speed(made, judge.scene.numbering),
    }


def run(name: str, stored: dict[str, Any]) -> None:
    """Every cell of a log that is not stored yet."""
    entry = stored["logs"].setdefault(name, {"methods": {}, "scratch": []})
    with TemporaryDirectory() as place:
        folder = Path(place)
        judge = Judge(TEACHERS[name], folder)
        bytes_of_teacher = judge.scene.teacher_file.model.stat().st_size
        entry["teacher"] = {"bytes": bytes_of_teacher, "quality": float(judge.teacher[0])}
        entry["teacher"]["table_bytes"] = table_bytes(judge.scene.teacher_file.model)
        entry["teacher"]["rows"] = dict(zip(judge.dataset.schema.tables, judge.dataset.encoder.rows, strict=True))
        entry["synthetic"] = bool(judge.config.data.synthetic)
        if "quantize_dynamic" not in entry:
            entry["quantize_dynamic"] = stock(judge, folder)
        for changes in SCRATCH[name][len(entry["scratch"]) :]:
            entry["scratch"].append(scratch(changes, judge, folder))
            write_json(STORED, stored)
            print(name, "from scratch", entry["scratch"][-1], flush=True)
        for words, strengths in METHODS[name].items():
            cells = entry["methods"].setdefault(words, [])
            for transforms in strengths[len(cells) :]:
                cell = method(name, transforms, judge, folder)
                larger = [each for each in entry["scratch"] if each["bytes"] >= cell["bytes"]]
                same = min(larger, key=lambda each: each["bytes"]) if larger else None
                cell["from_scratch_of_these_bytes"] = same and {key: same[key] for key in ("shape", "bytes", "change")}
                cells.append(cell)
                write_json(STORED, stored)
                shown = [f"{cell[when]['change']:+.4f}" for when in ("at_once", "recovered")]
                print(name, words, transforms, f"{bytes_of_teacher / cell['bytes']:.1f}x", *shown, flush=True)


def plot(stored: dict[str, Any]) -> None:
    """Change of quality after recovery: a row per log, of tables against bytes, of dense layers against speed."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
    from matplotlib.axes import Axes
    from matplotlib.ticker import LogLocator

    def draw(axis: Axes, entry: dict[str, Any], methods: list[str], dense: bool) -> None:
        def place(cell: dict[str, Any]) -> float:
            return float(cell["times_faster"]["256"] if dense else cell["bytes"] / 1e3)

        shown = []
        for words in methods:
            cells = sorted(entry["methods"][words], key=place)
            changes = [cell["recovered"]["change"] for cell in cells]
            shown += changes
            axis.plot([*map(place, cells)], changes, "o-", markersize=4, linewidth=1, label=words, color=colours[words])
        stock = entry["quantize_dynamic"]
        axis.plot([place(stock)], [stock["change"]], "kD", label="quantize_dynamic")
        axis.axhline(0.0, color="grey", linewidth=0.5)
        axis.set_ylim(max(min(shown), -0.1) - 0.002, max([*shown, 0.0]) + 0.002)
        if dense:
            axis.set_xlabel("times faster than the teacher at batch 256")
            return
        scratch = entry["scratch"]
        axis.plot(
            [each["bytes"] / 1e3 for each in scratch], [each["change"] for each in scratch], "k--", label="scratch"
        )
        axis.set_xscale("log")
        axis.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.xaxis.set_major_formatter("{x:,.0f}")
        axis.xaxis.set_minor_formatter("")
        axis.set_xlabel("KB of model.onnx")

    logs = stored["logs"]
    every = sorted({words for entry in logs.values() for words in entry["methods"]})
    colours = {
        words: pyplot.colormaps["tab20"].colors[place % 20]
        for dense in (False, True)
        for place, words in enumerate(words for words in every if (words in DENSE) == dense)
    }
    figure, axes = pyplot.subplots(len(logs), 2, figsize=(14, 3.6 * len(logs)), squeeze=False)
    for row, (name, entry) in zip(axes, logs.items(), strict=True):
        for axis, dense in zip(row, (False, True), strict=True):
            methods = [words for words in entry["methods"] if (words in DENSE) == dense]
            axis.set_visible(bool(methods))
            if methods:
                draw(axis, entry, methods, dense)
                axis.legend(fontsize=6, loc="center left", bbox_to_anchor=(1.0, 0.5))
                what = "dense layers" if dense else "tables"
                axis.set_title(f"{name}{' (synthetic)' if entry['synthetic'] else ''}: {what}", fontsize=9)
        row[0].set_ylabel("change after recovery")
    figure.tight_layout()
    figure.savefig(HERE / "plot.png", dpi=110)


def main(names: list[str]) -> None:
    """Runs what is not stored yet."""
    stored: dict[str, Any] = json.loads(STORED.read_text()) if STORED.exists() else {"machine": machine(), "logs": {}}
    for name in names or list(TEACHERS):
        run(name, stored)
        plot(stored)


if __name__ == "__main__":
    main(sys.argv[1:])
