"""The teacher: trained once per (data, configuration, seed), found again by digest; so are its logits."""

from __future__ import annotations

import json
from collections.abc import Callable
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
from autocompress.digest import json_digest
from autocompress.measure.quality import Metric
from autocompress.measure.sample import sample_of
from autocompress.models.recommender import Recommender, build
from autocompress.storage import new_file, new_folder
from autocompress.training.compiling import worth_compiling
from autocompress.training.config import FromScratch, Training
from autocompress.training.fit import FRESH, fit, predict_logits
from autocompress.training.precision import Precision, fastest_precision

VALID_ROWS = 100_000
"""Validation rows that decide when to stop: enough for an AUC to .002, few enough to cost a second."""


EpochSeen = Callable[[int, int, float, float], None]
"""Called after each epoch with (epoch, epochs, training loss, mean over tasks of the metric on validation rows)."""


@dataclass(frozen=True)
class Trained:
    """A model trained from scratch, in eval mode, with what each epoch showed."""

    model: Recommender
    digest: str
    history: list[dict[str, float]]
    seconds: float
    folder: Path


def train_from_scratch(
    config: FromScratch,
    dataset: Dataset,
    seed: int,
    cache: Path,
    seen: EpochSeen | None = None,
    metric: Metric = "auc",
) -> Trained:
    """Trains, or loads from `cache`/models what equal data, configuration and seed gave before.

    The epoch of the best `metric` on validation rows is kept. `UserError` where the data have no groups to tell it.
    """
    key = {"data": dataset.digest, "model": config.model_dump(mode="json"), "seed": seed, "layout": 3, "metric": metric}
    digest = json_digest(key)
    folder = cache / "models" / digest
    torch.manual_seed(seed)
    model = build(config.shape, dataset.schema, dataset.encoder.rows)
    if not (folder / "training.json").exists():
        with new_folder(folder) as temporary:
            facts = _train(model, config.training, dataset, seed, fastest_precision(cache), seen, metric)
            save_file({name: value.contiguous() for name, value in model.state_dict().items()}, temporary / "tensors")
            (temporary / "training.json").write_text(json.dumps({"key": key, **facts}, indent=1, sort_keys=True))
    model.load_state_dict(load_file(folder / "tensors"))
    facts = json.loads((folder / "training.json").read_text())
    return Trained(model.eval(), digest, facts["history"], facts["seconds"], folder)


def _train(
    model: Recommender,
    training: Training,
    dataset: Dataset,
    seed: int,
    precision: Precision,
    seen: EpochSeen | None,
    metric: Metric,
) -> dict[str, Any]:
    import time

    sample = sample_of(dataset, "valid", VALID_ROWS, metric)
    history: list[dict[str, float]] = []
    best: dict[str, torch.Tensor] = {}

    def epoch_ended(epoch: int, loss: float) -> None:
        value = float(np.mean(sample.values(predict_logits(model, sample.inputs))))
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
    compiled = worth_compiling(training.epochs * dataset.rows["train"])
    fit(
        model,
        dataset,
        recovery,
        soft=None,
        seed=seed,
        accumulator=FRESH,
        precision=precision,
        compiled=compiled,
        on_epoch_end=epoch_ended,
        should_stop=out_of_patience,
    )
    model.load_state_dict(best)
    return {"history": history, "seconds": time.perf_counter() - started, "compiled": compiled}


def teacher_logits(
    teacher: Trained, model_file: Path, dataset: Dataset, rows: int, threads: int
) -> NDArray[np.float32]:
    """Logits of the teacher's ONNX file on the latest `rows` training rows, (rows, tasks), memory-mapped, cached."""
    path = teacher.folder / f"train_logits_{rows}.npy"
    if not path.exists():
        inputs = dataset.inputs("train")[-rows:]
        scores = np.clip(score(open_session(model_file, threads), inputs, 4096), 1e-6, 1 - 1e-6)
        with new_file(path) as temporary, temporary.open("wb") as stream:
            np.save(stream, np.log(scores / (1 - scores)).astype(np.float32))
    logits: NDArray[np.float32] = np.load(path, mmap_mode="r")
    return logits
