"""The shape of a recommender as data: what a teacher's configuration and a plan's student have in common."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field as Limits

from autocompress.schema import Frozen

Width = Annotated[int, Limits(ge=1, le=65_536)]


class ModelShape(Frozen):
    """DCNv2 (Wang et al., WWW 2021): cross network beside a tower, one linear head over both.

    `embedding_dim` is one number, or one per field where they differ; `cross_rank` None means full-rank cross
    layers; an empty `tower` leaves the cross network alone.
    """

    kind: Literal["dcnv2"] = "dcnv2"
    embedding_dim: Annotated[int, Limits(ge=1, le=1024)] | dict[str, Annotated[int, Limits(ge=1, le=1024)]] = 16
    cross_layers: int = Limits(2, ge=0, le=16)
    cross_rank: Width | None = 64
    tower: tuple[Width, ...] = (256, 256)
    dropout: float = Limits(0.0, ge=0.0, lt=1.0)

    def larger_than(self, teacher: ModelShape) -> str | None:
        """Name of the first respect in which this shape cannot be cut out of `teacher`'s; None where it can."""
        mine, theirs = self.embedding_dim, teacher.embedding_dim
        if isinstance(mine, int) and isinstance(theirs, int) and mine > theirs:
            return "embedding_dim"
        if self.cross_layers > teacher.cross_layers:
            return "cross_layers"
        widths = zip(self.tower, teacher.tower, strict=False)
        if len(self.tower) > len(teacher.tower) or any(own > other for own, other in widths):
            return "tower"
        return None

    def dims(self, field_names: tuple[str, ...]) -> tuple[int, ...]:
        """Embedding dimension of each field. `ValueError` names a field of `embedding_dim` that is not there."""
        if isinstance(self.embedding_dim, int):
            return (self.embedding_dim,) * len(field_names)
        if unknown := sorted(set(self.embedding_dim) - set(field_names)):
            raise ValueError(f"embedding_dim names {unknown[0]!r}, which is no field: {', '.join(field_names)}")
        if absent := [name for name in field_names if name not in self.embedding_dim]:
            raise ValueError(f"embedding_dim lacks field {absent[0]!r}")
        return tuple(self.embedding_dim[name] for name in field_names)
