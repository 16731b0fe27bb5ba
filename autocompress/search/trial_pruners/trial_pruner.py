"""What every trial pruner offers, and how a configured one is recognised."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Protocol, cast

from pydantic import PlainSerializer, PlainValidator

from autocompress.search.named import named
from autocompress.search.objectives import Vector

PACKAGE = "autocompress.search.trial_pruners"


class TrialPruner(Protocol):
    """A frozen pydantic model with a `kind`."""

    @property
    def kind(self) -> str:
        """Name of the pruner."""

    def goes_on(self, number: int, level: int, mine: Vector, others: Mapping[int, Vector], eta: int) -> bool:
        """Whether trial `number` goes on after it showed `mine` at a level, 0 the one-shot quality, 1 the first rung.

        `others` are the vectors that other trials showed there, by number; the best 1/`eta` are to go on.
        """

    def model_dump(self, *, mode: str = "python") -> dict[str, Any]:
        """The pruner as plain data."""


AnyTrialPruner = Annotated[
    TrialPruner,
    PlainValidator(lambda value: cast(TrialPruner, named(PACKAGE, value))),
    PlainSerializer(lambda pruner: pruner.model_dump(mode="json"), return_type=dict),
]
