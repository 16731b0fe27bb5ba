"""What every kind of teacher offers, and how a configured one is recognised. Reading it must not import Lightning."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import PlainSerializer, PlainValidator

from autocompress import family
from autocompress.data.store import Dataset
from autocompress.measure.quality import Goal
from autocompress.models.shape import Shape
from autocompress.training.config import Training

if TYPE_CHECKING:
    from autocompress.models.recommender import Recommender
    from autocompress.training.from_scratch import Trained

PACKAGE = "autocompress.training.teachers"
EpochSeen = Callable[[int, int, float, float], None]
"""Called after each epoch with (epoch, epochs, training loss, mean over tasks of the metric on validation rows)."""


@dataclass(frozen=True)
class Ready:
    """A teacher that can teach: its file is the mean of the logits of `models`, students start from `weights`.

    `soft(rows)` gives logits (rows, tasks) of the latest training rows where they do not come from the file.
    """

    weights: Trained
    models: tuple[Recommender, ...]
    digest: str
    soft: Callable[[int], NDArray[np.float32]] | None = None


class Teacher(Protocol):
    """A frozen pydantic model with a `kind`."""

    @property
    def kind(self) -> str:
        """Name of the kind."""

    @property
    def shape(self) -> Shape:
        """Of the model whose weights students inherit."""

    @property
    def training(self) -> Training:
        """How that model is trained, or what stands in for it."""

    def words(self) -> str:
        """For people."""

    def ready(self, dataset: Dataset, seed: int, cache: Path, seen: EpochSeen | None, goal: Goal) -> Ready:
        """Trains, finds or loads it. `UserError` where the data lack what it needs."""

    def model_dump(self, *, mode: str = "python") -> dict[str, Any]:
        """The teacher as plain data."""


def parse_teacher(value: object) -> Teacher:
    """A teacher from its configuration; without a `kind` it is trained from scratch. `ValueError` naming the kinds."""
    if isinstance(value, Mapping) and "kind" not in value:
        value = {"kind": "from_scratch", **value}
    return cast(Teacher, family.parse(PACKAGE, value))


AnyTeacher = Annotated[
    Teacher,
    PlainValidator(parse_teacher),
    PlainSerializer(lambda teacher: teacher.model_dump(mode="json"), return_type=dict),
]
