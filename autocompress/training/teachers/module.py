"""A user's own `nn.Module`, as the teacher and, pruned and quantized, as the student."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field as Limits
from pydantic import JsonValue

from autocompress.data.store import Dataset
from autocompress.measure.quality import Goal
from autocompress.models.module import ModuleShape
from autocompress.schema import Frozen
from autocompress.training.config import Training
from autocompress.training.teachers.from_scratch import FromScratch
from autocompress.training.teachers.teacher import EpochSeen, Ready


class Module(Frozen):
    """`target` is the import path of a class; `arguments` go to it beside `width` and `tasks`.

    Its objects map float32 (n, width), the embeddings of all inputs side by side, to logits (n, tasks). The path stands
    in the configuration alone: a stored plan names the kind and can import nothing.
    """

    kind: Literal["module"] = "module"
    target: str = Limits(pattern=r"[\w.]+\.\w+")
    arguments: dict[str, JsonValue] = Limits(default_factory=dict)
    embedding_dim: int = Limits(16, ge=1, le=1024)
    training: Training = Training()

    @property
    def shape(self) -> ModuleShape:
        """What a plan keeps of it."""
        return ModuleShape(dim=self.embedding_dim)

    def words(self) -> str:
        """Its name."""
        return f"{self.target}, d {self.embedding_dim}"

    def ready(self, dataset: Dataset, seed: int, cache: Path, seen: EpochSeen | None, goal: Goal) -> Ready:
        """`UserError` where the class cannot be imported, made, or does not give one logit per task."""
        from autocompress.models.module import own_module
        from autocompress.training.from_scratch import train_from_scratch

        reference = FromScratch(shape=self.shape, training=self.training)
        made = own_module(self.target, self.arguments)
        trained = train_from_scratch(reference, dataset, seed, cache, seen, goal, module=made)
        return Ready(trained, (trained.model,), trained.digest)
