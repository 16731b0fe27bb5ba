"""What a study has found, rebuilt at any moment from what its trials stored."""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from optuna.trial import FrozenTrial, TrialState

from autocompress.artefact.bundle import open_bundle
from autocompress.data.source import Split
from autocompress.data.store import Dataset
from autocompress.errors import UserError
from autocompress.measure.bootstrap import auc
from autocompress.measure.quality import Metric, drop
from autocompress.search.files import Known
from autocompress.search.latencies import LATENCIES
from autocompress.search.learning_curve import FINISHES
from autocompress.search.objectives import REFERENCE_QUALITY, Vector, dominates, front, hypervolume, vector
from autocompress.search.scene import Quick
from autocompress.search.settings import Constraints

Violations = dict[str, float]


def mean_quality(
    quality: Mapping[str, Mapping[str, float]], teacher: Mapping[str, Mapping[str, float]], metric: Metric
) -> float:
    """Mean over tasks of (metric - teacher's)."""
    return float(np.mean([quality[task][metric] - teacher[task][metric] for task in teacher]))


def violations(
    constraints: Constraints,
    quality: Mapping[str, Mapping[str, float]],
    teacher: Mapping[str, Mapping[str, float]],
    model_bytes: int,
    p50: float,
    metric: Metric,
    latencies: Mapping[str, float],
) -> Violations:
    """How far each configured constraint is broken: bytes and latency as a share of the bound, all others as a
    difference; zero or less where it is kept, infinite where a latency was never measured."""
    found: Violations = {}
    if constraints.auc_drop is not None:
        worst = max(teacher[task]["auc"] - quality[task]["auc"] for task in teacher)
        found["auc_drop"] = worst - constraints.auc_drop
    for task, bound in constraints.drop.items():
        found[f"drop.{task}"] = drop(metric, teacher[task][metric], quality[task][metric]) - bound
    for name, measured in (("calibration_error", "calibration_error"), ("group_gap", "auc_gap")):
        bound = getattr(constraints, name)
        if bound is not None:
            found[name] = max(quality[task].get(measured, 0.0) for task in teacher) - bound
    if constraints.max_bytes is not None:
        found["max_bytes"] = model_bytes / constraints.max_bytes - 1.0
    if constraints.max_latency_ms is not None:
        found["max_latency_ms"] = p50 / constraints.max_latency_ms - 1.0
    for name, bound in constraints.latency.items():
        found[f"latency.{name}"] = latencies.get(name, math.inf) / bound - 1.0
    return found


def in_force(constraints: Constraints) -> dict[str, float]:
    """The constraints that are set, as a front stores them."""
    whole = constraints.model_dump(exclude={"drop", "latency"})
    found = {name: float(value) for name, value in whole.items() if value is not None}
    found |= {f"drop.{task}": bound for task, bound in constraints.drop.items()}
    return found | {f"latency.{name}": bound for name, bound in constraints.latency.items()}


@dataclass(frozen=True)
class Finished:
    """A trial that ran to its end, read back from the study."""

    number: int
    seconds: float
    vector: Vector
    known: Known
    plan: dict[str, Any]
    broken: Violations
    trained_parameters: int | None = None
    training_seconds: float | None = None
    superseded: bool = False
    """Whether another trial finished this one's plan and lost no more: they differ in the noise of latency alone."""

    @property
    def feasible(self) -> bool:
        """Whether it keeps every constraint."""
        return all(value <= 0 for value in self.broken.values())


def read_finished(
    trials: Sequence[FrozenTrial],
    teacher: Known,
    constraints: Constraints,
    folder: Path,
    metric: Metric,
    latencies: Mapping[str, Mapping[str, float]],
) -> list[Finished]:
    """Complete trials with their files; those whose bundle was dropped because another dominates it are left out.

    `latencies`: what was measured after a trial, by artefact digest.
    """
    result = []
    for trial in trials:
        attributes = trial.user_attrs
        if trial.state is not TrialState.COMPLETE or not (folder / "artefacts" / attributes["artefact"]).is_dir():
            continue
        quick = Quick(attributes["p50"], attributes["speedup"])
        bundle = open_bundle(folder / "artefacts" / attributes["artefact"])
        known = Known(
            f"trial {trial.number}", attributes["words"], bundle, attributes["quality"], quick, attributes["parity"]
        )
        timed = {**attributes.get(LATENCIES, {}), **latencies.get(bundle.digest, {})}
        broken = violations(constraints, known.quality, teacher.quality, bundle.model_bytes, quick.p50, metric, timed)
        result.append(
            Finished(
                trial.number,
                float(attributes["study_seconds"]),
                vector(mean_quality(known.quality, teacher.quality, metric), bundle.model_bytes, quick.speedup),
                known,
                attributes["plan"],
                broken,
                *_recovery(attributes.get("rungs", [])),
            )
        )
    complete = [trial for trial in trials if trial.state is TrialState.COMPLETE]
    twins = {trial.user_attrs[FINISHES]: trial.number for trial in complete if FINISHES in trial.user_attrs}
    by_number = {trial.number: trial for trial in result}
    return [
        replace(trial, superseded=_is_no_worse(by_number.get(twins.get(trial.number, -1)), trial)) for trial in result
    ]


def _is_no_worse(twin: Finished | None, trial: Finished) -> bool:
    return twin is not None and twin.vector[0] <= trial.vector[0] and (twin.feasible or not trial.feasible)


def _recovery(rungs: Sequence[dict[str, Any]]) -> tuple[int | None, float | None]:
    """Most numbers that a stage trained, and seconds of all stages; None where no rung tells."""
    trained = [rung for rung in rungs if "trained_parameters" in rung]
    if not trained:
        return None, None
    return max(int(rung["trained_parameters"]) for rung in trained), sum(rung["training_seconds"] for rung in trained)


def require_files(trials: Sequence[FrozenTrial], folder: Path) -> None:
    """`UserError` naming `output` where trials ran to their end and none of their bundles is in the study's folder."""
    complete = [trial for trial in trials if trial.state is TrialState.COMPLETE]
    if complete and not any((folder / "artefacts" / trial.user_attrs["artefact"]).is_dir() for trial in complete):
        raise UserError(
            f"output: no file of the {len(complete)} complete trials is in {folder}: move that folder back, name as "
            "output where it is now, or take another study.name"
        )


def front_members(finished: Sequence[Finished]) -> list[Finished]:
    """The front: of the feasible trials, or of all where none is feasible; by rising bytes."""
    there = [trial for trial in finished if not trial.superseded]
    candidates = [trial for trial in there if trial.feasible] or there
    # what lost more than the reference point adds nothing to the hypervolume, however small it is
    candidates = [trial for trial in candidates if -trial.vector[0] > REFERENCE_QUALITY] or candidates
    return [candidates[index] for index in front([trial.vector for trial in candidates])]


def drop_dominated(finished: Sequence[Finished], members: Sequence[Finished]) -> None:
    """Removes bundles that are neither on the front nor on the front without constraints."""
    kept = {trial.known.bundle.folder for trial in members}
    there = [trial for trial in finished if not trial.superseded]
    kept |= {there[index].known.bundle.folder for index in front([trial.vector for trial in there])}
    # a set, because equal plans share a bundle
    for folder in {trial.known.bundle.folder for trial in finished} - kept:
        # renamed first: a process that is killed in the middle leaves no bundle with files missing
        dropped = folder.with_name(f".dropped.{folder.name}")
        folder.rename(dropped)
        shutil.rmtree(dropped)


def hypervolume_history(trials: Sequence[FrozenTrial], teacher_bytes: int) -> list[tuple[int, float, float]]:
    """(trial, study seconds, hypervolume so far) after each complete trial."""
    seen: list[Vector] = []
    history = []
    for trial in trials:
        if trial.state is TrialState.COMPLETE:
            seen.append((trial.values[0], trial.values[1], trial.values[2]))
            seen = [seen[index] for index in front(seen)]
            history.append((trial.number, float(trial.user_attrs["study_seconds"]), hypervolume(seen, teacher_bytes)))
    return history


def dominated_by(known: Known, landmarks: Sequence[Known], teacher: Known, metric: Metric) -> str | None:
    """Name of the first landmark that is better than a file in every respect that counts; ties do not."""
    mine = _vector(known, teacher, metric)
    return next((other.name for other in landmarks if dominates(_vector(other, teacher, metric), mine)), None)


def _vector(known: Known, teacher: Known, metric: Metric) -> Vector:
    return vector(mean_quality(known.quality, teacher.quality, metric), known.bundle.model_bytes, known.quick.speedup)


@lru_cache(maxsize=2)
def bayes_auc(dataset: Dataset, split: Split) -> dict[str, float] | None:
    """AUC of the true probabilities on a split, per task: no model can do better. None of a real log."""
    truth = dataset.truth(split)
    if truth is None:
        return None
    labels = dataset.labels(split)
    return {task: auc(truth[:, index], labels[:, index]) for index, task in enumerate(dataset.schema.task_names)}
