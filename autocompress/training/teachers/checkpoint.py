"""A model that was trained and saved before."""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import Field as Limits

from autocompress.data.store import Dataset
from autocompress.errors import UserError
from autocompress.measure.quality import Goal
from autocompress.models.shape import Shape
from autocompress.schema import Frozen
from autocompress.training.config import Training
from autocompress.training.teachers.from_scratch import FromScratch
from autocompress.training.teachers.teacher import EpochSeen, Ready


class Checkpoint(Frozen):
    """`path` is a folder that a training left in the cache (`models/<digest>`), or a copy of it: no pickle is read."""

    kind: Literal["checkpoint"] = "checkpoint"
    path: Path
    training: Training = Limits(Training(), description="what landmarks get, and how often ids are masked for students")

    @cached_property
    def _key(self) -> dict[str, Any]:
        try:
            key: dict[str, Any] = json.loads((self.path / "training.json").read_text())["key"]
            if not (self.path / "tensors").is_file():
                raise FileNotFoundError("it has no file `tensors`")
        except (OSError, ValueError, KeyError) as error:
            raise UserError(f"teacher.path={self.path}: holds no trained model: {error}") from error
        return key

    @property
    def _model(self) -> FromScratch:
        return FromScratch.model_validate(self._key["model"])

    @property
    def shape(self) -> Shape:
        """Of the saved model."""
        return self._model.shape

    def words(self) -> str:
        """Those of the shape, and where it is from."""
        return f"{self.shape.words()}, from a checkpoint"

    def ready(self, dataset: Dataset, seed: int, cache: Path, seen: EpochSeen | None, goal: Goal) -> Ready:
        """`UserError` where it was trained on other data: its ids would mean other things."""
        from autocompress.training.from_scratch import load_trained

        if self._key["data"] != dataset.digest:
            raise UserError(
                f"teacher.path={self.path}: was trained on other data ({self._key['data'][:8]}, these are "
                f"{dataset.digest[:8]}): its ids mean other things"
            )
        trained = load_trained(self.path, self._model.shape, dataset)
        return Ready(trained, (trained.model,), trained.digest)
