"""One trial: gate, one-shot, rungs of growing data, then the file is exported, checked and measured."""

from __future__ import annotations

import copy
import math
import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from autocompress.artefact.bundle import Bundle, write_bundle
from autocompress.artefact.export import export, parity
from autocompress.compress.batch_norm import without_batch_norms
from autocompress.compress.calibration import fitted
from autocompress.compress.grow import grown
from autocompress.compress.inherit import inherit
from autocompress.compress.plan import Plan
from autocompress.compress.transform import Context, Record
from autocompress.data.numbering import narrowed
from autocompress.models.recommender import Recommender
from autocompress.models.shape import Shape
from autocompress.search.learning_curve import rung_name
from autocompress.search.objectives import Vector, vector
from autocompress.search.scene import GATE_RUNS, Quick, Scene
from autocompress.search.trial_pruners.trial_pruner import Verdict
from autocompress.training.fit import WARM, fit, predict_logits

PARITY_ROWS = 2_000
PARITY_BOUND = {False: 1e-5, True: 0.005}
"""Largest allowed difference of a score between torch and the file, float and int8 (whether anything is int8)."""


@dataclass
class Outcome:
    """What a trial showed; `stopped_at` is None when it ran to its end and has a bundle."""

    stopped_at: str | None = None
    rungs: list[dict[str, Any]] = field(default_factory=list)
    bundle: Bundle | None = None
    quick: Quick | None = None
    parity: float | None = None
    seconds: float = 0.0


Judge = Callable[[str, Vector], Verdict]
"""(rung name, vector) -> what becomes of the trial."""


def run_trial(
    plan: Plan, scene: Scene, judge: Judge, on_rung: Callable[[str, float], None], *, seed: int, first: int = 1
) -> Outcome:
    """Runs a plan as far as `judge` lets it; nothing of a stopped trial stays on disk.

    `judge("gate", ...)` sees the plan on the teacher's weights at the teacher's own quality, `judge("one-shot", ...)`
    its quality before training, `judge("rung i", ...)` after stage i but the last; a trial that is to be shipped
    while it has not every transform goes on. The first stage is rung `first` of the study. Rung quality comes from the
    file exported at that point, what is drawn from `seed`. Training can hurt (a log that is bound by noise overfits on
    its second epoch), so what is judged and shipped is the best of the states that have every transform; the bundle's
    lineage names its rung. Raises `RuntimeError` where torch and the final file disagree.
    """
    outcome, started = Outcome(), time.perf_counter()
    with TemporaryDirectory(prefix=f"{folder_prefix()}{os.getpid()}.", dir=scene.folder) as name:
        draft = Path(name) / "model.onnx"
        model, records = one_shot(plan, scene)
        export(model, scene.dataset.schema, draft, scene.cache)
        size, quick = draft.stat().st_size, scene.quick(draft, model.bank.numbering, GATE_RUNS)
        outcome.quick = quick

        def verdict(rung: str, quality: float, **facts: float) -> Verdict:
            seen = vector(quality, size, quick.speedup)
            seconds = time.perf_counter() - started
            outcome.rungs.append({"rung": rung, "quality": quality, "vector": list(seen), "seconds": seconds, **facts})
            on_rung(rung, quality)
            found = "ship" if rung == rung_name(first + len(plan.stages) - 1) else judge(rung, seen)
            outcome.stopped_at = rung if found == "stop" else None
            return found

        if verdict("gate", 0.0) == "stop":
            return _timed(outcome, started)
        best, best_quality, best_rung = (
            copy.deepcopy(model),
            scene.rung_quality(draft, model.bank.numbering),
            "one-shot",
        )
        told = verdict("one-shot", best_quality)
        if told == "stop":
            return _timed(outcome, started)
        left = () if told == "ship" and not plan.in_steps else plan.stages
        if plan.in_steps:
            model, records, best_quality = start(plan.shape_in(0), scene), [], -math.inf
        for index, stage in enumerate(left):
            if plan.in_steps:
                if index and plan.shape_in(index) != plan.shape_in(index - 1):
                    model = reshaped(model, plan.shape_in(index - 1), plan.shape_in(index), scene.context)
                records += [transform.apply(model, scene.context) for transform in stage.transforms]
            begun, rung = time.perf_counter(), rung_name(first + index)
            trained = fit(
                model,
                scene.dataset,
                stage.recovery,
                taught=scene.taught(stage.recovery.objective),
                seed=seed + index,
                accumulator=WARM,
                arithmetic=scene.arithmetic,
                before_step=scene.before_step,
            )
            facts = {"trained_parameters": trained, "training_seconds": time.perf_counter() - begun}
            export(model, scene.dataset.schema, draft, scene.cache)
            quality = scene.rung_quality(draft, model.bank.numbering)
            whole = stage.student is None and len(records) == len(plan.transforms())
            if whole and quality > best_quality:
                goes_on = index + 1 < len(left)
                best, best_quality, best_rung = copy.deepcopy(model) if goes_on else model, quality, rung
            told = verdict(rung, best_quality if whole else quality, **facts)
            if told == "stop":
                return _timed(outcome, started)
            if told == "ship" and whole:
                break
    if plan.calibration != "none":
        logits = predict_logits(best, scene.dataset.inputs("valid"))
        best.calibration = fitted(plan.calibration, logits, scene.dataset.labels("valid"))
        assert best.calibration is not None
        records = [*records, {"calibration": best.calibration._asdict()}]
    outcome.bundle = ship(best, plan, records, scene, seed, best_rung)
    outcome.quick = scene.quick(outcome.bundle.model, best.bank.numbering)
    integer = any(transform.storage_bits() for transform in plan.transforms())
    outcome.parity = check_parity(best, outcome.bundle, scene, integer=integer)
    return _timed(outcome, started)


def folder_prefix() -> str:
    """How the folders of this machine's running trials are named, before the process's number."""
    return f".trial.{socket.gethostname()}."


def start(shape: Shape, scene: Scene) -> Recommender:
    """The student before any transform: the teacher's weights in that shape, batch norms folded."""
    if shape == scene.shape:
        model = copy.deepcopy(scene.teacher.weights.model)
        model.dense = without_batch_norms(model.dense, model.bank.layout.width)
        return model
    teacher = scene.teacher.weights.model
    return inherit(teacher, shape, scene.context, scene.context_logits, scene.energies, scene.heads)


def reshaped(model: Recommender, now: Shape, then: Shape, context: Context) -> Recommender:
    """A model of the shape `then` that goes on where `model`, of the shape `now`, stands. `ValueError` where neither is
    part of the other."""
    return grown(model, then, context) if then.larger_than(now) else inherit(model, then, context)


def one_shot(plan: Plan, scene: Scene) -> tuple[Recommender, list[Record]]:
    """The student after all transforms and no training, with their records."""
    model = start(plan.student, scene)
    records = []
    for transform in plan.transforms():
        scene.before_step()
        records.append(transform.apply(model, scene.context))
    return model, records


def ship(model: Recommender, plan: Plan, records: list[Record], scene: Scene, seed: int, rung: str) -> Bundle:
    """Writes the bundle of a student into the study's `artefacts`; `rung`: up to which it was trained."""
    return write_bundle(
        scene.folder / "artefacts",
        lambda path: export(model, scene.dataset.schema, path, scene.cache),
        narrowed(scene.dataset.encoder, model.bank.numbering),
        plan=plan.model_dump(mode="json"),
        records=records,
        lineage={"data": scene.dataset.digest, "teacher": scene.teacher.digest, "seed": seed, "rung": rung},
    )


def check_parity(model: Recommender, bundle: Bundle, scene: Scene, *, integer: bool) -> float:
    """Largest |score difference|; `RuntimeError` where it passes `PARITY_BOUND`."""
    found = parity(model, bundle.model, scene.dataset.inputs("valid")[:PARITY_ROWS])
    if found > PARITY_BOUND[integer]:
        raise RuntimeError(f"torch and the exported file differ by {found:.2g} in a score")
    return found


def _timed(outcome: Outcome, started: float) -> Outcome:
    outcome.seconds = time.perf_counter() - started
    return outcome
