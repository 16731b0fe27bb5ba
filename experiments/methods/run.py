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

import numpy as np
import onnx
from cells import METHODS, OBJECTIVE, RECOVERY, SCRATCH, TEACHERS
from numpy.typing import NDArray

from autocompress.artefact.export import export
from autocompress.artefact.runtime import open_session, outputs
from autocompress.compress.plan import Plan
from autocompress.config.compose import compose
from autocompress.data.numbering import Numbering, renumbered
from autocompress.data.store import prepare
from autocompress.measure.bootstrap import auc_replicates, interval, weights
from autocompress.measure.catalogue import Catalogue, catalogue_of
from autocompress.measure.latency import interleaved, speedup
from autocompress.measure.machine import machine
from autocompress.models.recommender import Recommender
from autocompress.models.shape import changed
from autocompress.search.landmarks import ship_ready, ship_stock
from autocompress.search.scene import Scene
from autocompress.search.trial import one_shot
from autocompress.storage import write_json
from autocompress.training.fit import WARM, fit
from autocompress.training.teachers.from_scratch import FromScratch

HERE = Path(__file__).resolve().parent
STORED = HERE / "results.json"
BATCHES, RUNS, SECONDS, TOP = (1, 64, 256), 200, 1.0, 20
Replicates = NDArray[np.float64]


class Judge:
    """One log's teacher, and how every file is held against it."""

    def __init__(self, name: str, folder: Path) -> None:
        (self.config,) = compose(TEACHERS[name])
        cache = self.config.cache.expanduser()
        self.dataset = prepare(self.config.data, self.config.cleaning, cache)
        ready = self.config.teacher.ready(self.dataset, 0, cache, None, self.config.goal)
        self.scene = Scene(
            dataset=self.dataset,
            shape=self.config.teacher.shape,
            teacher=ready,
            teacher_file=ship_ready(ready, "teacher", self.dataset, folder, cache),
            cache=cache,
            folder=folder,
            threads=2,
            seed=0,
            soft_rows=self.dataset.rows["train"],
            goal=self.config.goal,
            mask_ids=self.config.teacher.training.mask_ids,
        )
        catalogue = self.config.catalogue
        self.catalogue: Catalogue | None = None if catalogue is None else catalogue_of(self.dataset, "test", catalogue)
        several = self.dataset.rows["test"] if self.catalogue is None else len(self.catalogue.users)
        self.drawn = weights(several, seed=5)
        self.teacher = self.quality(self.scene.teacher_file.model, self.scene.numbering)

    def quality(self, path: Path, numbering: Numbering) -> Replicates:
        """Float64 (1 + replicates,): the value itself first."""
        session = open_session(path, 2)
        ones = np.ones((1, self.drawn.shape[1]), dtype=np.uint8)
        drawn = np.concatenate([ones, self.drawn])
        if self.catalogue is None:
            scores = outputs(session, renumbered(self.dataset.inputs("test"), numbering))["scores"]
            return auc_replicates(scores[:, 0], self.dataset.labels("test")[:, 0], drawn)
        ranks = self.catalogue.ranks(lambda inputs: outputs(session, renumbered(inputs, numbering)))
        user = self.catalogue.wanted[:, 0]
        wanted = np.bincount(user, minlength=drawn.shape[1])
        found = np.bincount(user, (ranks < TOP).astype(np.float64), minlength=drawn.shape[1])
        return drawn @ (found / wanted) / drawn.sum(axis=1)

    def change(self, path: Path, numbering: Numbering) -> dict[str, Any]:
        """Quality, and how far it is from the teacher's."""
        mine = self.quality(path, numbering)
        return {
            "quality": float(mine[0]),
            "change": float(mine[0] - self.teacher[0]),
            "change_ci95": list(interval((mine - self.teacher)[1:])),
        }

    def speed(self, path: Path, numbering: Numbering) -> dict[str, float]:
        """Times faster than the teacher's file, by batch size."""
        found = {}
        for batch in BATCHES:
            inputs = self.dataset.inputs("test")[:batch]
            files = {
                "teacher": (self.scene.teacher_session, inputs),
                "file": (open_session(path), renumbered(inputs, numbering)),
            }
            times = interleaved(files, RUNS, warmup=5, seconds=SECONDS)
            found[str(batch)] = speedup(times["teacher"], times["file"])
        return found

    def file(self, model: Recommender, path: Path) -> dict[str, Any]:
        """What a model's file is: bytes, those of its tables, and change of quality."""
        export(model, self.dataset.schema, path, self.scene.cache)
        sizes = {"bytes": path.stat().st_size, "table_bytes": table_bytes(path)}
        return {**sizes, **self.change(path, model.bank.numbering)}


def table_bytes(path: Path) -> int:
    """Of everything that a file stores for its lookups."""
    stored = onnx.load(path).graph.initializer
    return sum(len(tensor.raw_data) for tensor in stored if tensor.name.startswith(("table_", "apart_")))


def method(name: str, transforms: list[dict[str, Any]], judge: Judge, folder: Path) -> dict[str, Any]:
    """A method at one strength: at once, and after the recovery that all get."""
    recovery = {**RECOVERY[name], "objective": OBJECTIVE, "mask_ids": judge.scene.mask_ids}
    shape = judge.config.teacher.shape.model_dump(mode="json")
    plan = Plan.model_validate({"student": shape, "stages": [{"transforms": transforms, "recovery": recovery}]})
    model, _ = one_shot(plan, judge.scene)
    path, stage = folder / "cell.onnx", plan.stages[0].recovery
    at_once = judge.file(model, path)
    sizes = {key: at_once.pop(key) for key in ("bytes", "table_bytes")}
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
        judge = Judge(name, folder)
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
    """Change of quality after recovery against bytes, a panel per log."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
    from matplotlib.ticker import LogLocator

    names = sorted({words for entry in stored["logs"].values() for words in entry["methods"]})
    colours = dict(zip(names, pyplot.colormaps["tab20"].colors, strict=False))
    figure, axes = pyplot.subplots(1, len(stored["logs"]), figsize=(6 * len(stored["logs"]), 4.5), squeeze=False)
    for axis, (name, entry) in zip(axes[0], stored["logs"].items(), strict=True):
        for words, cells in sorted(entry["methods"].items()):
            sizes = [cell["bytes"] / 1e3 for cell in cells]
            axis.plot(sizes, [cell["recovered"]["change"] for cell in cells], "o-", label=words, color=colours[words])
        sizes = [each["bytes"] / 1e3 for each in entry["scratch"]]
        axis.plot(sizes, [each["change"] for each in entry["scratch"]], "k--", label="from scratch")
        axis.plot([entry["quantize_dynamic"]["bytes"] / 1e3], [entry["quantize_dynamic"]["change"]], "kD")
        axis.axhline(0.0, color="grey", linewidth=0.5)
        axis.set_xscale("log")
        axis.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.xaxis.set_major_formatter("{x:,.0f}")
        axis.xaxis.set_minor_formatter("")
        axis.set_title(name + (" (synthetic)" if entry["synthetic"] else ""))
        axis.set_xlabel("KB of model.onnx")
        axis.set_ylabel("change of test quality after recovery")
    axes[0][-1].legend(fontsize=7, loc="center left", bbox_to_anchor=(1.0, 0.5))
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
