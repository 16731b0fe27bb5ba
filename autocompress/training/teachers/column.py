"""The scores in a column of the log: a production model as a black box."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from autocompress.data.store import Dataset
from autocompress.errors import UserError
from autocompress.measure.quality import Goal
from autocompress.models.shape import AnyShape
from autocompress.schema import Frozen
from autocompress.training.config import Training
from autocompress.training.teachers.from_scratch import FromScratch
from autocompress.training.teachers.teacher import EpochSeen, Ready

CERTAIN = 1e-4
"""Distance that a score keeps from 0 and 1: a logit of a certain score would be infinite."""


class Column(Frozen):
    """A model of `shape` is trained on the scores of `data.score`: the reference file, and the source of weights.

    The scores are the first task's; the other tasks, and rows without a score, are taught by their labels. Students
    distil from the column itself, not from the reference.
    """

    kind: Literal["column"] = "column"
    shape: AnyShape
    training: Training = Training()

    def words(self) -> str:
        """Whose scores, and what stands in for it."""
        return f"{self.shape.words()}, trained on the log's scores"

    def ready(self, dataset: Dataset, seed: int, cache: Path, seen: EpochSeen | None, goal: Goal) -> Ready:
        """`UserError` where the log has no scores."""
        from autocompress.training.from_scratch import train_from_scratch

        scores = dataset.scores("train")
        if scores is None:
            raise UserError("teacher=column: the data hold no scores; name their column with data.score")
        soft = logits(scores, dataset.labels("train"))
        reference = FromScratch(shape=self.shape, training=self.training)
        trained = train_from_scratch(reference, dataset, seed, cache, seen, goal, soft=soft)
        return Ready(trained, (trained.model,), trained.digest, lambda rows: soft[-rows:])


def logits(scores: NDArray[np.float32], labels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(rows, tasks): of `scores` (rows,) for the first task; of the labels for the others, and where a score is NaN."""
    taught = np.array(labels, dtype=np.float32)
    taught[:, 0] = np.where(np.isnan(scores), taught[:, 0], scores)
    taught = np.clip(taught, CERTAIN, 1.0 - CERTAIN)
    found: NDArray[np.float32] = np.log(taught / (1.0 - taught))
    return found
