"""Files as the result contract describes them: quick while the study runs, in full when it closes."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autocompress.artefact.bundle import Bundle
from autocompress.artefact.runtime import open_session, outputs, score
from autocompress.data.numbering import Numbering, between, renumbered
from autocompress.data.source import Split
from autocompress.data.store import Dataset
from autocompress.measure.bootstrap import Resampled, interval, interval_of, metric_replicates, resample, weights
from autocompress.measure.catalogue import Catalogue, catalogue_of
from autocompress.measure.group_metrics import PerGroup
from autocompress.measure.latency import BATCHES, FINAL_RUNS, interleaved, percentiles, speedup
from autocompress.measure.machine import machine, machine_digest
from autocompress.measure.quality import Goal, drop, quality
from autocompress.report.contract import FrontFile, Latency, MeasuredFile, MetricValue
from autocompress.search.scene import Quick
from autocompress.search.turns import Turns
from autocompress.storage import write_json

BOOTSTRAP_SEED = 20_261_123


@dataclass(frozen=True)
class Known:
    """A file and what is known of it before the closing measurement."""

    name: str
    words: str
    bundle: Bundle
    quality: dict[str, dict[str, float]]
    quick: Quick
    parity: float | None = None


def valid_quality(
    bundle: Bundle, dataset: Dataset, threads: int, catalogue: Catalogue | None
) -> dict[str, dict[str, float]]:
    """Every metric of every task on the whole validation split, from the file."""
    scores, tasks = _scores(bundle, dataset, "valid", threads), dataset.schema.task_names
    found = quality(scores, dataset.labels("valid"), tasks, dataset.groups("valid"))
    if catalogue is not None:
        found[tasks[0]] |= {
            name: float(each.mean()[0]) for name, each in _retrieved(bundle, dataset, catalogue, threads).items()
        }
    return found


_NUMBERINGS: dict[tuple[str, str], Numbering] = {}
"""By digests of data and bundle: comparing two encoders of a million ids takes a while, and neither changes."""


def _numbering(bundle: Bundle, dataset: Dataset) -> Numbering:
    key = dataset.digest, bundle.digest
    if key not in _NUMBERINGS:
        _NUMBERINGS.clear()  # one bundle is looked at after the other
        _NUMBERINGS[key] = between(dataset.encoder, bundle.encoder())
    return _NUMBERINGS[key]


def _retrieved(bundle: Bundle, dataset: Dataset, catalogue: Catalogue, threads: int) -> dict[str, PerGroup]:
    session, numbering = open_session(bundle.model, threads), _numbering(bundle, dataset)
    return catalogue.values(lambda inputs: outputs(session, renumbered(inputs, numbering)))


def _scores(bundle: Bundle, dataset: Dataset, split: Split, threads: int) -> NDArray[np.float32]:
    inputs = renumbered(dataset.inputs(split), _numbering(bundle, dataset))
    return score(open_session(bundle.model, threads), inputs)


def describe(known: Known, teacher: Known, folder: Path) -> MeasuredFile:
    """A file while the study runs: validation only, median latency at batch 256 only."""
    return MeasuredFile(
        name=known.name,
        words=known.words,
        artefact=str(known.bundle.folder.relative_to(folder)),
        sha256=known.bundle.sha256,
        model_bytes=known.bundle.model_bytes,
        bundle_bytes=known.bundle.bundle_bytes,
        compression_ratio=teacher.bundle.model_bytes / known.bundle.model_bytes,
        quality={
            task: {metric: MetricValue(valid=value) for metric, value in metrics.items()}
            for task, metrics in known.quality.items()
        },
        latency_ms={"256": Latency(p50=known.quick.p50)},
        speedup={"256": known.quick.speedup},
        parity=known.parity,
    )


@dataclass(frozen=True)
class TestSplit:
    """The test split, opened: shared resampling weights, and under them the teacher's replicates, per task."""

    dataset: Dataset
    threads: int
    resampled: Resampled
    teacher: list[dict[str, NDArray[np.float64]]]
    teacher_quality: dict[str, dict[str, float]]
    catalogue: Catalogue | None
    of_users: NDArray[np.uint8] | None


def open_test(teacher: Bundle, dataset: Dataset, threads: int, goal: Goal) -> TestSplit:
    """Scores the teacher on the test split and draws the replicates that every file will share."""
    catalogue = None if goal.catalogue is None else catalogue_of(dataset, "test", goal.catalogue)
    of_users = None if catalogue is None else weights(len(catalogue.users), BOOTSTRAP_SEED + 2)
    scores, labels, groups = _scores(teacher, dataset, "test", threads), dataset.labels("test"), dataset.groups("test")
    resampled = resample(len(labels), groups, BOOTSTRAP_SEED)
    replicates = [metric_replicates(scores[:, task], labels[:, task], resampled) for task in range(labels.shape[1])]
    measured = quality(scores, labels, dataset.schema.task_names, groups)
    if catalogue is not None:
        for name, each in _retrieved(teacher, dataset, catalogue, threads).items():
            measured[dataset.schema.task_names[0]][name] = float(each.mean()[0])
            replicates[0][name] = each.mean(of_users)
    return TestSplit(dataset, threads, resampled, replicates, measured, catalogue, of_users)


def measure_in_full(
    known: Known, teacher: Known, test: TestSplit, folder: Path, turns: Turns | None = None
) -> MeasuredFile:
    """Test quality with intervals, and latency at every batch size, interleaved with the teacher's file, while nobody
    who takes turns makes a step.

    Every metric has a bootstrap interval, and a paired one for its drop. The measurement is stored beside the bundle,
    keyed by machine.
    """
    scores, labels = _scores(known.bundle, test.dataset, "test", test.threads), test.dataset.labels("test")
    tested = quality(scores, labels, test.dataset.schema.task_names, test.dataset.groups("test"))
    values: dict[str, dict[str, MetricValue]] = {}
    retrieved = {} if test.catalogue is None else _retrieved(known.bundle, test.dataset, test.catalogue, test.threads)
    for index, task in enumerate(test.dataset.schema.task_names):
        replicates = metric_replicates(scores[:, index], labels[:, index], test.resampled)
        for name, each in retrieved.items():
            tested[task][name], replicates[name] = float(each.mean()[0]), each.mean(test.of_users)
        values[task] = {
            metric: MetricValue(
                valid=known.quality[task][metric],
                test=value,
                test_ci95=interval_of(metric, value, replicates[metric]),
                test_drop=drop(metric, test.teacher_quality[task][metric], value),
                test_drop_ci95=interval(drop(metric, test.teacher[index][metric], replicates[metric])),
            )
            for metric, value in tested[task].items()
        }
    with nullcontext() if turns is None else turns.measuring():
        latency, speedups = _latency(known.bundle, teacher.bundle, test.dataset)
    quick = describe(known, teacher, folder)
    measured = quick.model_copy(update={"quality": values, "latency_ms": latency, "speedup": speedups})
    _store(known.bundle, measured)
    return measured


def measured_before(front: FrontFile, teacher: Known) -> dict[str, MeasuredFile]:
    """What an ended front measured in full against this teacher on this machine, by artefact digest.

    Left out: a file without an interval of every metric, which an older version measured.
    """
    if Path(front.teacher.artefact).name != teacher.bundle.digest or front.machine.model_dump() != machine():
        return {}
    files = (front.teacher, *front.landmarks, *front.points)
    return {
        Path(file.artefact).name: MeasuredFile.model_validate(file.model_dump(include=set(MeasuredFile.model_fields)))
        for file in files
        if all(value.test_drop_ci95 for metrics in file.quality.values() for value in metrics.values())
    }


def _latency(bundle: Bundle, teacher: Bundle, dataset: Dataset) -> tuple[dict[str, Latency], dict[str, float]]:
    latency, speedups = {}, {}
    session, reference = open_session(bundle.model), open_session(teacher.model)
    numbering = _numbering(bundle, dataset)
    for batch in BATCHES:
        inputs = dataset.inputs("valid")[:batch]
        files = {"teacher": (reference, inputs), "file": (session, renumbered(inputs, numbering))}
        times = interleaved(files, FINAL_RUNS[batch])
        latency[str(batch)] = Latency.model_validate(percentiles(times["file"]))
        speedups[str(batch)] = speedup(times["teacher"], times["file"])
    return latency, speedups


def _store(bundle: Bundle, measured: MeasuredFile) -> None:
    facts: dict[str, Any] = measured.model_dump(mode="json", include={"sha256", "model_bytes", "latency_ms", "speedup"})
    write_json(
        bundle.folder.parent / f"{bundle.digest}.{machine_digest()}.json",
        {"artefact": bundle.digest, **facts, "machine": machine()},
    )
