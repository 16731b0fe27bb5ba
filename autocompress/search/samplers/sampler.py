"""What every sampler offers, and how a configured one is recognised."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Protocol, cast

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState
from pydantic import PlainSerializer, PlainValidator

from autocompress.search.named import named
from autocompress.search.space import Spaces

PACKAGE = "autocompress.search.samplers"
STARTUP_TRIALS = 12
TEACHER_BYTES = "teacher_bytes"
"""User attribute of a study: bytes of the teacher's file."""


@dataclass(frozen=True)
class Setting:
    """What a sampler may want to know of its study; `n_trials` and `minutes` are its limits, None without one.
    `together`: whether other processes run trials of the study meanwhile."""

    spaces: Spaces
    seed: int
    n_trials: int | None
    minutes: float | None
    together: bool = False


def trials_over(study: optuna.Study) -> list[FrozenTrial]:
    """What was tried to its end, or stopped; read once while a plan is asked for."""
    return study._get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED), use_cache=True)


def known_space(trials: Iterable[FrozenTrial]) -> dict[str, BaseDistribution]:
    """Every parameter that any of the trials had, as the last had it, but for those that have one value."""
    space: dict[str, BaseDistribution] = {}
    for trial in trials:
        space |= trial.distributions
    return {name: each for name, each in space.items() if not each.single()}


class Sampler(Protocol):
    """A frozen pydantic model with a `kind`."""

    @property
    def kind(self) -> str:
        """Name of the sampler."""

    def build(self, setting: Setting) -> BaseSampler:
        """Optuna's sampler. `UserError` where the space is one that it cannot search."""

    def model_dump(self, *, mode: str = "python") -> dict[str, Any]:
        """The sampler as plain data."""


AnySampler = Annotated[
    Sampler,
    PlainValidator(lambda value: cast(Sampler, named(PACKAGE, value))),
    PlainSerializer(lambda sampler: sampler.model_dump(mode="json"), return_type=dict),
]
