"""What every trial pruner offers, and how a configured one is recognised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple, Protocol, cast

from pydantic import PlainSerializer, PlainValidator

from autocompress.search.learning_curve import Point
from autocompress.search.named import named
from autocompress.search.objectives import Vector

PACKAGE = "autocompress.search.trial_pruners"
Verdict = Literal["go on", "stop", "ship"]


@dataclass(frozen=True)
class Others:
    """What other trials showed at the same rung, by number; of those that were trained to the end, what they showed
    there and what they lost at last; the vectors of the files that keep every constraint. `began`: the one-shot loss of
    the trial itself."""

    at_rung: Mapping[int, Vector]
    told: Sequence[tuple[Point, float]]
    files: Sequence[Vector]
    began: float


class Finishing(NamedTuple):
    """How plans that were shipped early are finished: in at most this share of the trials' seconds, and as if they
    were to keep this quantile of the shares of loss that others kept."""

    share_of_time: float
    quantile: float


class TrialPruner(Protocol):
    """A frozen pydantic model with a `kind`."""

    @property
    def kind(self) -> str:
        """Name of the pruner."""

    @property
    def finishes(self) -> Finishing | None:
        """None where no plan is finished by another trial."""

    def judge(self, number: int, level: int, levels: int, mine: Vector, others: Others, eta: int) -> Verdict:
        """What becomes of trial `number` after it showed `mine` at a level: 0 the one-shot quality, 1 the first rung,
        of `levels` rungs.

        A halving pruner lets the best 1/`eta` go on. `ship`: the trial ends as complete, with the best state so far.
        """

    def model_dump(self, *, mode: str = "python") -> dict[str, Any]:
        """The pruner as plain data."""


AnyTrialPruner = Annotated[
    TrialPruner,
    PlainValidator(lambda value: cast(TrialPruner, named(PACKAGE, value))),
    PlainSerializer(lambda pruner: pruner.model_dump(mode="json"), return_type=dict),
]
