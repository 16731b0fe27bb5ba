"""What a teacher says of the training rows: computed once per data and teacher, memory-mapped, shared by all who learn.

A file is found by the digest of everything that it depends on, so that a changed teacher or other data never meet it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from autocompress.artefact.runtime import open_session, score
from autocompress.data.inputs import Inputs
from autocompress.data.store import Dataset
from autocompress.digest import file_digest, json_digest
from autocompress.models.recommender import Recommender, tensors
from autocompress.storage import new_file
from autocompress.training.features import with_features

CERTAIN = 1e-6
"""Distance that a score keeps from 0 and 1: a logit of a certain score would be infinite."""
ROWS_AT_ONCE = 8_192


@dataclass(frozen=True)
class Taught:
    """Of the latest training rows: `logits` float32 (rows, tasks) and, where asked for, `features` float16 (rows, k).

    Features are what the head reads, or the vectors of user and item side by side. `beside` are rows without labels,
    and the teacher's logits (rows, tasks) of them.
    """

    logits: NDArray[np.float32]
    features: NDArray[np.float16] | None = None
    beside: tuple[Inputs, NDArray[np.float32]] | None = None

    def latest(self, rows: int) -> Taught:
        """Of the latest `rows` rows. `ValueError` where fewer are covered."""
        if len(self.logits) < rows:
            raise ValueError(f"teacher logits cover {len(self.logits)} rows, {rows} are asked for")
        return Taught(self.logits[-rows:], None if self.features is None else self.features[-rows:], self.beside)


def logits_of_file(model_file: Path, dataset: Dataset, rows: int, threads: int, cache: Path) -> NDArray[np.float32]:
    """Logits of an ONNX file on the latest `rows` training rows, (rows, tasks), from `cache`/logits."""

    inputs = dataset.inputs("train")[-rows:]
    return logits_of_inputs(model_file, inputs, [dataset.digest], threads, cache)


def logits_of_inputs(
    model_file: Path, inputs: Inputs, known_by: Sequence[str], threads: int, cache: Path
) -> NDArray[np.float32]:
    """Logits (rows, tasks) of an ONNX file on `inputs`, which are `known_by` digests, from `cache`/logits."""

    def compute() -> NDArray[np.float32]:
        scores = np.clip(score(open_session(model_file, threads), inputs, 4096), CERTAIN, 1 - CERTAIN)
        logits: NDArray[np.float32] = np.log(scores / (1 - scores)).astype(np.float32)
        return logits

    key = [*known_by, file_digest(model_file), len(inputs)]
    return _kept(cache / "logits" / f"{json_digest(key)}.npy", len(inputs), compute)


def logits_of_model(model: Recommender, digest: str, dataset: Dataset, rows: int, cache: Path) -> NDArray[np.float32]:
    """As `logits_of_file`, of a trained model of that digest."""
    key = ["logits", dataset.digest, digest, rows]
    return _kept(cache / "logits" / f"{json_digest(key)}.npy", rows, lambda: _seen(model, dataset, rows)[0])


def features_of_model(model: Recommender, digest: str, dataset: Dataset, rows: int, cache: Path) -> NDArray[np.float16]:
    """Features of a trained model of that digest on the latest `rows` training rows, (rows, k), from `cache`/features.

    `UserError` where the model has no head that reads any.
    """
    key = ["features", dataset.digest, digest, rows]

    def compute() -> NDArray[np.float16]:
        return _seen(model, dataset, rows)[1].astype(np.float16)

    return _kept(cache / "features" / f"{json_digest(key)}.npy", rows, compute)


@torch.no_grad()
def _seen(model: Recommender, dataset: Dataset, rows: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    model.eval()
    inputs = dataset.inputs("train")[-rows:]
    parts = [
        with_features(model.dense, model.bank(*tensors(inputs[start : start + ROWS_AT_ONCE])))
        for start in range(0, rows, ROWS_AT_ONCE)
    ]
    logits, features = (torch.cat([part[place] for part in parts]).numpy() for place in (0, 1))
    return logits, features


def _kept(path: Path, rows: int, compute: Callable[[], NDArray[Any]]) -> NDArray[Any]:
    """What the file holds; computed where there is none, or where it was cut short."""
    if path.exists():
        try:
            found: NDArray[Any] = np.load(path, mmap_mode="r")
        except (ValueError, EOFError):  # numpy: the file is shorter than its own header says
            path.unlink()
        else:
            if len(found) == rows:
                return found
            path.unlink()
    with new_file(path) as temporary, temporary.open("wb") as stream:
        np.save(stream, compute())
    made: NDArray[Any] = np.load(path, mmap_mode="r")
    return made
