"""Several models as one teacher: its file is a single graph that averages their logits."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field as Limits
from pydantic import model_validator

from autocompress.data.store import Dataset
from autocompress.digest import json_digest
from autocompress.errors import not_allowed
from autocompress.measure.quality import Goal
from autocompress.models.shape import Shape
from autocompress.schema import Frozen
from autocompress.training.config import Training
from autocompress.training.teachers.from_scratch import FromScratch
from autocompress.training.teachers.teacher import EpochSeen, Ready


class Ensemble(Frozen):
    """`members` by name; students start from those weights that the member `weights_from` has.

    Bytes and latency of the teacher are those of the single exported graph. Members with equal configurations are
    trained from different seeds, or they would be one model counted twice.
    """

    kind: Literal["ensemble"] = "ensemble"
    members: Annotated[dict[str, FromScratch], Limits(min_length=2)]
    weights_from: str
    training: Training = Limits(Training(), description="what landmarks get; members have their own")

    @model_validator(mode="after")
    def _weights_come_from_a_member(self) -> Self:
        if self.weights_from not in self.members:
            raise not_allowed("teacher.weights_from: no member", self.weights_from, list(self.members))
        return self

    @property
    def shape(self) -> Shape:
        """Of the member that gives the weights."""
        return self.members[self.weights_from].shape

    def words(self) -> str:
        """What is averaged."""
        return f"mean of {', '.join(self.members)}"

    def ready(self, dataset: Dataset, seed: int, cache: Path, seen: EpochSeen | None, goal: Goal) -> Ready:
        """Every member is found again by itself."""
        found = {}
        earlier: list[FromScratch] = []
        for name, member in self.members.items():
            again = earlier.count(member)
            found[name] = member.ready(dataset, seed + again, cache, seen, goal).weights
            earlier.append(member)
        models = tuple(trained.model for trained in found.values())
        digest = json_digest({"ensemble": [trained.digest for trained in found.values()]})
        return Ready(found[self.weights_from], models, digest)
