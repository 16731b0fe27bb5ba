"""The teacher: trained once per (data, configuration, seed), found again by digest; so are its logits."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file

from autocompress.artefact.runtime import open_session, score
from autocompress.compress.plan import Recovery
from autocompress.data.store import Dataset
from autocompress.digest import file_digest, json_digest
from autocompress.measure.quality import AUC, Goal
from autocompress.measure.sample import sample_of
from autocompress.models.module import OwnModule
from autocompress.models.recommender import Recommender, build
from autocompress.models.shape import Shape
from autocompress.storage import new_file, new_folder
from autocompress.training.compiling import worth_compiling
from autocompress.training.config import Training
from autocompress.training.fit import FRESH, fit, predict_outputs
from autocompress.training.precision import Precision, fastest_precision
from autocompress.training.teachers.from_scratch import FromScratch
from autocompress.training.teachers.teacher import EpochSeen

VALID_ROWS = 100_000
"""Validation rows that decide when to stop: enough for an AUC to .002, few enough to cost a second."""


@dataclass(frozen=True)
class Trained:
    """A model trained from scratch, in eval mode, with what each epoch showed."""

    model: Recommender
    digest: str
    history: list[dict[str, float]]
    seconds: float


def train_from_scratch(
    config: FromScratch,
    dataset: Dataset,
    seed: int,
    cache: Path,
    seen: EpochSeen | None = None,
    goal: Goal = AUC,
    *,
    soft: NDArray[np.float32] | None = None,
    module: OwnModule | None = None,
) -> Trained:
    """Trains, or loads from `cache`/models what equal data, configuration and seed gave before.

    The epoch of the best metric of `goal` on validation rows is kept. `UserError` where the data lack groups for it.
    With `soft`, logits (train rows, tasks), it is these that are learnt and not the labels; `module` is a user's own
    dense part.
    """
    key = {"data": dataset.digest, "model": config.model_dump(mode="json"), "seed": seed, "layout": 3, "goal": goal}
    if soft is not None:
        key["soft"] = hashlib.sha256(soft.tobytes()).hexdigest()
    if module is not None:
        key["module"] = module.digest
    digest = json_digest(key)
    folder = cache / "models" / digest
    torch.manual_seed(seed)
    make = None if module is None else module.make
    model = build(config.shape, dataset.schema, dataset.encoder.rows, make)
    if not (folder / "training.json").exists():
        with new_folder(folder) as temporary:
            facts = _train(model, config.training, dataset, seed, fastest_precision(cache), seen, goal, soft)
            save_file({name: value.contiguous() for name, value in model.state_dict().items()}, temporary / "tensors")
            (temporary / "training.json").write_text(json.dumps({"key": key, **facts}, indent=1, sort_keys=True))
    return _loaded(model, folder)


def load_trained(folder: Path, shape: Shape, dataset: Dataset) -> Trained:
    """What `train_from_scratch` left in a folder, of a model of `shape` over `dataset`."""
    return _loaded(build(shape, dataset.schema, dataset.encoder.rows), folder)


def _loaded(model: Recommender, folder: Path) -> Trained:
    model.load_state_dict(load_file(folder / "tensors"))
    facts = json.loads((folder / "training.json").read_text())
    return Trained(model.eval(), json_digest(facts["key"]), facts["history"], facts["seconds"])


def _train(
    model: Recommender,
    training: Training,
    dataset: Dataset,
    seed: int,
    precision: Precision,
    seen: EpochSeen | None,
    goal: Goal,
    soft: NDArray[np.float32] | None,
) -> dict[str, Any]:
    import time

    sample = sample_of(dataset, "valid", VALID_ROWS, goal)
    history: list[dict[str, float]] = []
    best: dict[str, torch.Tensor] = {}

    def epoch_ended(epoch: int, loss: float) -> None:
        value = float(np.mean(sample.values(lambda inputs: predict_outputs(model, inputs))))
        if value >= max((epoch["valid_quality"] for epoch in history), default=-1.0):
            best.update({name: tensor.detach().clone() for name, tensor in model.state_dict().items()})
        history.append({"epoch": float(epoch), "loss": loss, "valid_quality": value})
        if seen is not None:
            seen(epoch, training.epochs, loss, value)

    def out_of_patience() -> bool:
        values = [epoch["valid_quality"] for epoch in history]
        return len(values) - 1 - int(np.argmax(values)) >= training.patience

    started = time.perf_counter()
    recovery = Recovery(**training.model_dump(exclude={"patience"}))
    if soft is not None:
        objective = recovery.objective.model_copy(update={"distillation_weight": 1.0})
        recovery = recovery.model_copy(update={"objective": objective})
    compiled = worth_compiling(training.epochs * dataset.rows["train"])
    fit(
        model,
        dataset,
        recovery,
        soft=soft,
        seed=seed,
        accumulator=FRESH,
        precision=precision,
        compiled=compiled,
        on_epoch_end=epoch_ended,
        should_stop=out_of_patience,
    )
    model.load_state_dict(best)
    return {"history": history, "seconds": time.perf_counter() - started, "compiled": compiled}


def teacher_logits(model_file: Path, dataset: Dataset, rows: int, threads: int, cache: Path) -> NDArray[np.float32]:
    """Logits of the teacher's ONNX file on the latest `rows` training rows, (rows, tasks), memory-mapped, cached."""
    path = cache / "logits" / f"{json_digest([dataset.digest, file_digest(model_file), rows])}.npy"
    if not path.exists():
        inputs = dataset.inputs("train")[-rows:]
        scores = np.clip(score(open_session(model_file, threads), inputs, 4096), 1e-6, 1 - 1e-6)
        with new_file(path) as temporary, temporary.open("wb") as stream:
            np.save(stream, np.log(scores / (1 - scores)).astype(np.float32))
    logits: NDArray[np.float32] = np.load(path, mmap_mode="r")
    return logits
