"""How a plan's stages differ: what is imitated first and what later, and what is removed at once or step by step."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Annotated, Any, Literal, Protocol, runtime_checkable

from pydantic import Field as Limits

from autocompress.compress.plan import Objective, Recovery, Stage, Temperature
from autocompress.compress.transform import Transform
from autocompress.models.shape import Shape, changed
from autocompress.schema import Frozen


class Stages(Frozen):
    """`two_phases`: all stages but the last imitate the teacher alone; the last one sees labels and no features.

    `last_distillation_weight` and `last_temperature` are those of the last stage, where they differ from the first's:
    stages between lie between. `removal` `rising`: methods that can (those with `in_steps`) remove a part in every
    stage, and bits of tables fall from 8; all others wait for the last one. `at_once`: everything is applied before the
    first.

    `capacity` `shrinking` begins with the teacher's shape and narrows it from stage to stage, `growing` begins with
    half of the student's widths and widens them; both apply everything else in the last stage, where the student has
    its shape. `fixed`: it has it from the start.
    """

    two_phases: bool = False
    last_distillation_weight: Annotated[float, Limits(ge=0.0, le=1.0)] | None = None
    last_temperature: Temperature | None = None
    removal: Literal["at_once", "rising"] = "at_once"
    capacity: Literal["fixed", "growing", "shrinking"] = "fixed"


@runtime_checkable
class InSteps(Protocol):
    """A method that may remove a part now and the rest later."""

    @property
    def kind(self) -> str:
        """Name of the method."""

    def in_steps(self, several: int) -> tuple[Transform, ...]:
        """So many methods that together remove what this one does."""


def staged(
    transforms: Sequence[Transform],
    recoveries: Sequence[Recovery],
    objective: Objective,
    stages: Stages,
    shapes: Sequence[Shape | None] = (),
) -> tuple[Stage, ...]:
    """A stage per recovery. `transforms` stand in the order in which they are applied; `shapes` are those of the stages
    (`capacities`), none where all have the plan's."""
    several, shapes = len(recoveries), [*shapes, *[None] * (len(recoveries) - len(shapes))]
    if any(shapes):
        applied = [*[()] * (several - 1), tuple(transforms)]
    else:
        applied = _divided(transforms, several) if stages.removal == "rising" else _at_once(transforms, several)
    made = []
    for index, recovery in enumerate(recoveries):
        own = recovery.model_copy(update={"objective": _objective(objective, index, several, stages)})
        made.append(Stage(student=shapes[index], transforms=applied[index], recovery=own))
    return tuple(made)


def capacities(student: Shape, teacher: Shape, several: int, stages: Stages) -> list[Shape | None]:
    """The shape of each stage, None where it is the student's: always in the last."""
    before = several - 1
    if stages.capacity == "shrinking":
        found = [_between(student, teacher, 1 - index / before) for index in range(before)]
    elif stages.capacity == "growing":
        half = _halved(student)
        found = [_between(half, student, index / before) for index in range(before)]
    else:
        found = []
    return [*(None if shape == student else shape for shape in found), *[None] * (several - len(found))]


def _between(small: Shape, large: Shape, share: float) -> Shape:
    """`large`, its widths between those of both, by equal factors from step to step; what has no width, or another
    number of them, is `large`'s."""
    mine, theirs = small.model_dump(mode="json"), large.model_dump(mode="json")
    changes = {
        key: _width(mine[key], theirs[key], share)
        for key in (*WIDTHS, "output", "cross_rank")
        if _alike(mine.get(key), theirs.get(key))
    }
    return changed(large, changes)


def _alike(one: Any, other: Any) -> bool:
    """Two widths, or two towers of as many layers."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other)
    return isinstance(one, int) and isinstance(other, int)


def _width(mine: Any, theirs: Any, share: float) -> Any:
    if isinstance(mine, list):
        return [_width(one, other, share) for one, other in zip(mine, theirs, strict=True)]
    return round(mine * (theirs / mine) ** share)


def _halved(shape: Shape) -> Shape:
    """Half of the widths that may grow in silence; products of dimensions may not."""
    have = shape.model_dump(mode="json")
    changes = {key: _half(have[key]) for key in WIDTHS if isinstance(have.get(key), int | list)}
    return changed(shape, changes)


def _half(width: Any) -> Any:
    return [_half(each) for each in width] if isinstance(width, list) else max(1, width // 2)


WIDTHS = ("embedding_dim", "tower")

Division = list[tuple[Transform, ...]]


def _at_once(transforms: Sequence[Transform], several: int) -> Division:
    return [tuple(transforms), *[()] * (several - 1)]


def _divided(transforms: Sequence[Transform], several: int) -> Division:
    """With as many methods in steps as a legal order allows; what stands before one of them goes first, others last."""
    able = [each for each in transforms if isinstance(each, InSteps)]
    for many in range(len(able), 0, -1):
        for chosen in combinations(able, many):
            division = [_at(transforms, chosen, index, several) for index in range(several)]
            if _is_legal([each for stage in division for each in stage]):
                return division
    return _at_once(transforms, several)


def _at(transforms: Sequence[Transform], chosen: Sequence[InSteps], index: int, several: int) -> tuple[Transform, ...]:
    """What a stage applies, `chosen` in steps."""
    kinds = {each.kind for each in chosen}
    found: list[Transform] = []
    for place, each in enumerate(transforms):
        if each.kind in kinds and isinstance(each, InSteps):
            found.append(each.in_steps(several)[index])
        elif index == (0 if any(later.kind in kinds for later in transforms[place:]) else several - 1):
            found.append(each)
    return tuple(found)


def _is_legal(order: Sequence[Transform]) -> bool:
    return all(earlier.kind in each.follows for place, each in enumerate(order) for earlier in order[:place])


def _objective(first: Objective, index: int, several: int, stages: Stages) -> Objective:
    done = index / (several - 1) if several > 1 else 1.0
    changes: dict[str, float] = {}
    if stages.last_distillation_weight is not None:
        start = first.distillation_weight
        changes["distillation_weight"] = start + done * (stages.last_distillation_weight - start)
    if stages.last_temperature is not None and not isinstance(first.temperature, dict):
        changes["temperature"] = first.temperature + done * (stages.last_temperature - first.temperature)
    if stages.two_phases and several > 1:
        if index < several - 1:
            changes["distillation_weight"] = 1.0
        else:
            changes |= dict.fromkeys(("feature_weight", "relational_weight", "contrastive_weight"), 0.0)
    return first.model_copy(update=changes)
