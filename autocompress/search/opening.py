"""What stands before the first trial: the teacher, its file, the landmarks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from autocompress.artefact.bundle import Bundle
from autocompress.data.store import Dataset
from autocompress.digest import file_digest, json_digest
from autocompress.errors import UserError, not_allowed
from autocompress.measure.machine import machine_digest
from autocompress.measure.quality import VERSION, Goal
from autocompress.models.shape import changed
from autocompress.report.wording import metric_title
from autocompress.search.config import SearchConfig
from autocompress.search.files import Known, valid_quality
from autocompress.search.landmarks import STOCK, ship_ready, ship_stock
from autocompress.search.ledger import Ledger
from autocompress.search.objectives import REFERENCE_QUALITY, TIES
from autocompress.search.recoveries import rows_of
from autocompress.search.scene import Quick, Scene
from autocompress.search.turns import turns_of_machine
from autocompress.storage import write_json
from autocompress.training.teachers.from_scratch import FromScratch
from autocompress.training.teachers.teacher import Ready, Teacher


def study_key(config: SearchConfig, dataset: Dataset) -> dict[str, Any]:
    """What tells studies apart: data, teacher, space, objectives, seed; not limits, workers or constraints."""
    dumped = config.model_dump(mode="json")
    return {
        "data": dataset.digest,
        "teacher": dumped["teacher"],
        "landmarks": dumped["landmarks"],
        "space": dumped["search_spaces"],
        "rungs": dumped["study"]["rungs"],
        "goal": config.goal,
        **({"calibration": config.study.calibration} if config.study.calibration != "none" else {}),
        **({"assistants": dumped["assistants"]} if config.assistants else {}),
        **({} if config.unlabelled is None else {"unlabelled": _digest_of(config.unlabelled)}),
        **({} if config.methods is None else {"methods": _sources(config.methods.expanduser())}),
        "objectives": [*TIES, REFERENCE_QUALITY],
        "seed": config.study.seed,
    }


def _digest_of(path: Path) -> str:
    if not path.is_file():
        raise UserError(f"data.unlabelled: {path} does not exist")
    return file_digest(path)


def _sources(folder: Path) -> dict[str, str]:
    """Digest of each file of somebody's own methods: a changed method is another study."""
    return {file.name: file_digest(file) for file in sorted(folder.glob("*.py"))}


def open_scene(
    config: SearchConfig, dataset: Dataset, folder: Path, cache: Path, threads: int, ledger: Ledger
) -> Scene:
    """Trains (or finds) and ships the teacher, and enters it and the stock tool's file into the ledger."""
    show = ledger.show
    show.phase(f"teacher: training {config.teacher.words()}")
    ready = _ready(config.teacher, dataset, config.study.seed, cache, ledger, config.goal)
    scene = scene_of(config, ready, dataset, folder, cache, threads)
    bundle, known = scene.teacher_file, know_teacher(config, scene)
    ledger.teacher = known
    if config.constraints.group_gap is not None and not any("auc_gap" in each for each in known.quality.values()):
        raise UserError("constraints.group_gap: the data have no group column of few values; name one with data.group")
    for task in config.constraints.drop:
        if task not in known.quality:
            raise not_allowed(f"constraints.drop.{task}: no task", task, list(known.quality))
    ledger.log_teacher(ready.weights, config.teacher)
    show.phase("landmarks: the stock tool")
    stock = ship_stock(bundle, dataset, folder)
    ledger.landmarks.append(know(STOCK, "stock int8 of ONNX Runtime", stock, scene))
    return scene


def scene_of(config: SearchConfig, ready: Ready, dataset: Dataset, folder: Path, cache: Path, threads: int) -> Scene:
    """What all trials of a process share, with a teacher that is ready; ships its file into the study's folder."""
    rows = dataset.rows["train"]
    return Scene(
        dataset=dataset,
        shape=config.teacher.shape,
        teacher=ready,
        teacher_file=ship_ready(ready, "teacher", dataset, folder, cache),
        cache=cache,
        folder=folder,
        threads=threads,
        seed=config.study.seed,
        soft_rows=rows if config.study.last_mile_seeds else max(rows_of(config.study.rungs, rows)),
        goal=config.goal,
        mask_ids=config.teacher.training.mask_ids,
        assistants=cascade(config),
        unlabelled=config.unlabelled,
        turns=turns_of_machine(cache),
    )


def know_teacher(config: SearchConfig, scene: Scene) -> Known:
    """The teacher's file and its quality."""
    return know("teacher", config.teacher.words(), scene.teacher_file, scene)


def cascade(config: SearchConfig) -> tuple[FromScratch, ...]:
    """The assistants between teacher and students, as they are trained."""
    teacher = config.teacher
    return tuple(
        FromScratch(shape=changed(teacher.shape, changes), training=teacher.training) for changes in config.assistants
    )


def train_landmarks(config: SearchConfig, scene: Scene, ledger: Ledger) -> None:
    """Trains (or finds) and ships the small models that the ledger has not got yet, and enters them there.

    With the teacher's own budget of epochs, on labels alone. No trial is judged by them, so the first one need not
    wait; no study is closed without them.
    """
    show, there = ledger.show, {known.name for known in ledger.landmarks}
    for name, landmark in config.landmarks.items():
        if name in there:
            continue
        show.phase(f"landmarks: {name} from scratch, {landmark.shape.words()}")
        ready = _ready(landmark, scene.dataset, scene.seed, scene.cache, ledger, scene.goal)
        shipped = ship_ready(ready, name, scene.dataset, scene.folder, scene.cache)
        ledger.landmarks.append(know(name, f"from scratch, {landmark.shape.words()}", shipped, scene))


def _ready(teacher: Teacher, dataset: Dataset, seed: int, cache: Path, ledger: Ledger, goal: Goal) -> Ready:
    def seen(epoch: int, of: int, loss: float, value: float) -> None:
        ledger.show.teacher_epoch(epoch + 1, of, loss, metric_title(goal.metric), value)

    return teacher.ready(dataset, seed, cache, seen, goal)


def know(name: str, words: str, bundle: Bundle, scene: Scene) -> Known:
    """A file that is the same in every study of these data: its quality on the validation split is measured once on a
    machine (int8 of the stock tool scores otherwise on another processor)."""
    quick = scene.quick(bundle.model, scene.numbering)
    if bundle.digest == scene.teacher_file.digest:
        quick = Quick(quick.p50, 1.0)
    known_by = [VERSION, machine_digest(), scene.dataset.digest, bundle.digest, scene.goal.catalogue]
    stored = scene.cache / "quality" / f"{json_digest(known_by)}.json"
    if not stored.exists():
        found = valid_quality(bundle, scene.dataset, scene.threads, scene.catalogue)
        write_json(stored, [[task, list(metrics.items())] for task, metrics in found.items()])  # in their order
    quality = {task: dict(metrics) for task, metrics in json.loads(stored.read_text())}
    return Known(name, words, bundle, quality, quick)
