"""The teacher: trained once per (data, configuration, seed), found again by digest; so are its logits."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.torch import load_file

from autocompress.data.store import Dataset
from autocompress.digest import json_digest
from autocompress.measure.quality import AUC, Goal
from autocompress.models.module import OwnModule
from autocompress.models.recommender import Recommender, build
from autocompress.models.shape import Shape
from autocompress.storage import new_folder
from autocompress.training.arithmetic import fastest
from autocompress.training.job import FACTS, TENSORS, Job, run
from autocompress.training.teachers.from_scratch import FromScratch
from autocompress.training.teachers.teacher import EpochSeen


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
    job = Job(config, dataset, seed, goal, fastest(cache), soft, module)
    key = {"data": dataset.digest, "model": config.model_dump(mode="json"), "seed": seed, "layout": 4, "goal": goal}
    if soft is not None:
        key["soft"] = hashlib.sha256(soft.tobytes()).hexdigest()
    if module is not None:
        key["module"] = module.digest
    folder = cache / "models" / json_digest(key)
    if not (folder / FACTS).exists():
        with new_folder(folder) as temporary:
            run(job, temporary, seen)
            facts = json.loads((temporary / FACTS).read_text())
            (temporary / FACTS).write_text(json.dumps({"key": key, **facts}, indent=1, sort_keys=True))
    return _loaded(job.untrained(), folder)


def load_trained(folder: Path, shape: Shape, dataset: Dataset) -> Trained:
    """What `train_from_scratch` left in a folder, of a model of `shape` over `dataset`."""
    return _loaded(build(shape, dataset.schema, dataset.encoder.rows), folder)


def _loaded(model: Recommender, folder: Path) -> Trained:
    model.load_state_dict(load_file(folder / TENSORS))
    facts = json.loads((folder / FACTS).read_text())
    return Trained(model.eval(), json_digest(facts["key"]), facts["history"], facts["seconds"])
