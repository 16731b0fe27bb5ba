"""One model, trained on labels alone."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from autocompress.data.store import Dataset
from autocompress.measure.quality import Goal
from autocompress.models.shape import AnyShape
from autocompress.schema import Frozen
from autocompress.training.config import Training
from autocompress.training.teachers.teacher import EpochSeen, Ready


class FromScratch(Frozen):
    """A shape and how it is trained: the usual teacher, and the landmark it must beat."""

    kind: Literal["from_scratch"] = "from_scratch"
    shape: AnyShape
    training: Training = Training()

    def words(self) -> str:
        """Those of the shape."""
        return self.shape.words()

    def ready(self, dataset: Dataset, seed: int, cache: Path, seen: EpochSeen | None, goal: Goal) -> Ready:
        """Trained once per data, configuration and seed."""
        from autocompress.training.from_scratch import train_from_scratch

        trained = train_from_scratch(self, dataset, seed, cache, seen, goal)
        return Ready(trained, (trained.model,), trained.digest)
