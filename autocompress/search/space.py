"""Search spaces: YAML knobs in, an Optuna trial's suggestions out, a legal plan made of them.

`search_spaces/<name>.yaml` of a compression method is named after its `kind` and holds one knob per field of it, and
`when: [true, false]` where the method may be left out. `student.yaml` holds knobs of the student's shape (values that
are absent, or `teacher`, keep the teacher's; knobs that only other kinds of model have are passed over),
`recovery.yaml` of the training after each stage, `distillation.yaml` of its objective, `stages.yaml` of how stages
differ.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, cast

from optuna.trial import BaseTrial
from pydantic import BeforeValidator, ValidationError, model_validator
from pydantic import Field as Limits

from autocompress import family
from autocompress.compress.plan import PACKAGE, Objective, Plan, Recovery
from autocompress.compress.transform import Transform
from autocompress.errors import UserError, nearest
from autocompress.models.shape import Shape, changed, knobs
from autocompress.schema import Frozen
from autocompress.search.stages import Stages, capacities, staged

WHEN, STUDENT, KEPT = "when", "student", "teacher"


class Range(Frozen):
    """Numbers from `low` to `high`, both included; integers where both are integers. In YAML: `0.1..0.8 log`."""

    low: int | float
    high: int | float
    log: bool = False
    step: Annotated[float, Limits(gt=0)] | None = None

    @model_validator(mode="after")
    def _is_a_range(self) -> Range:
        if self.low >= self.high:
            raise ValueError(f"low {self.low} is not below high {self.high}")
        if self.log and (self.low <= 0 or self.step is not None):
            raise ValueError("a log range needs low > 0 and no step")
        if self.step is not None and self.step % 1 and isinstance(self.low, int) and isinstance(self.high, int):
            raise ValueError(f"step {self.step} is no whole number, as both ends are: write them as {self.low}.0")
        return self


NUMBER = r"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?"
RANGE = re.compile(rf"({NUMBER})\.\.({NUMBER})(\s+log)?(?:\s+step\s+({NUMBER}))?")


def _read_range(value: object) -> object:
    """`0.1..0.8`, `1e-4..1e-2 log` or `0.1..0.5 step 0.1` as a range.

    Text, and not a map, because OmegaConf cannot replace a map by a list from the command line.
    """
    found = RANGE.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        return value
    low, high, log, step = found.groups()
    ends = [int(end) if re.fullmatch(r"[-+]?\d+", end) else float(end) for end in (low, high)]
    return {"low": ends[0], "high": ends[1], "log": log is not None, "step": None if step is None else float(step)}


Knob = Annotated[Range | list[Any] | bool | int | float | str | None, BeforeValidator(_read_range)]
"""A range, a list of choices, or a fixed value."""
Spaces = dict[str, dict[str, Knob]]


def check_spaces(spaces: Spaces) -> Spaces:
    """`UserError` naming the first space or knob that stands for nothing, with what is allowed."""
    for name, space in spaces.items():
        models = _models()
        if name not in (*models, STUDENT):
            raise UserError(
                f"search_spaces.{name}: no compression method has this kind; allowed: "
                f"{', '.join(sorted([*models, STUDENT]))}{nearest(name, [*models, STUDENT])}"
            )
        known = knobs() if name == STUDENT else {key: [models[name]] for key in models[name].model_fields}
        allowed = [key for key in known if key != "kind"]
        allowed += [WHEN] if name in family.members(PACKAGE) else []
        for knob, values in space.items():
            key = f"search_spaces.{name}.{knob}"
            if knob not in allowed:
                raise UserError(f"{key}: unknown knob; allowed: {', '.join(allowed)}{nearest(knob, allowed)}")
            if isinstance(values, list) and not values:
                raise UserError(f"{key}: has no choice left")
            if knob == WHEN:
                for value in ends_of(values):
                    if not isinstance(value, bool):
                        raise UserError(f"{key}: {value!r} does not fit: allowed are true and false")
            else:
                chosen = [each for each in ends_of(values) if name != STUDENT or each != KEPT]
                _check_values(key, known[knob], knob, chosen)
        if name != STUDENT:
            required = [key for key, field in models[name].model_fields.items() if field.is_required()]
            if absent := [key for key in required if key not in space]:
                raise UserError(f"search_spaces.{name}: lacks the knob {absent[0]}, which has no default")
    _check_together([kind for kind in spaces if kind in family.members(PACKAGE) and _always(spaces[kind])])
    return spaces


def _always(space: Mapping[str, Knob]) -> bool:
    return space.get(WHEN, True) in (True, [True])


def _check_together(kinds: Sequence[str]) -> None:
    """`UserError` naming two kinds that every plan would hold and none may."""
    for place, second in enumerate(kinds):
        for first in kinds[:place]:
            if legal_order([first, second]) is None:
                raise UserError(
                    f"search_spaces: no plan may hold both {first} and {second}: leave one out, or set "
                    f"search_spaces.{second}.{WHEN}=false"
                )


def _models() -> dict[str, type[Frozen]]:
    others: dict[str, type[Frozen]] = {"recovery": Recovery, "distillation": Objective, "stages": Stages}
    return {**family.members(PACKAGE), **others}


def ends_of(values: Knob) -> list[Any]:
    """Both ends of a range, all choices, or the fixed value."""
    return [values.low, values.high] if isinstance(values, Range) else values if isinstance(values, list) else [values]


def _check_values(key: str, models: Sequence[type[Frozen]], knob: str, values: list[Any]) -> None:
    """`UserError` where a value fits none of the models that have this knob."""
    for value in values:
        faults = [fault for model in models if (fault := _fault(model, knob, value))]
        if len(faults) == len(models):
            raise UserError(f"{key}: {value!r} does not fit: {faults[0]}")


def _fault(model: type[Frozen], knob: str, value: object) -> str | None:
    try:
        model.model_validate({knob: value})
    except ValidationError as error:
        return next((f["msg"] for f in error.errors() if f["loc"] and f["loc"][0] == knob), None)
    return None


def student_knobs(spaces: Spaces, teacher: Shape) -> dict[str, Knob]:
    """The knobs of the space `student` that the teacher's kind of model has; those of other kinds say nothing here."""
    has = teacher.model_dump()
    return {knob: values for knob, values in spaces.get(STUDENT, {}).items() if knob in has}


def suggest(trial: BaseTrial, spaces: Spaces, teacher: Shape, recoveries: Iterable[Recovery]) -> Plan:
    """A plan with one stage per entry of `recoveries` (growing data); everything is applied in the first, unless
    `stages.removal` is rising.

    Every parameter is called `<space>.<knob>`; the knobs of a method exist only where it is chosen, and a method is not
    asked for where no plan may hold it beside those that stand before it in the space.
    """
    chosen: dict[str, Transform] = {}
    for kind in spaces:
        if kind in family.members(PACKAGE) and legal_order([*chosen, kind]) is not None:
            knobs = dict(spaces[kind])
            if _suggest(trial, f"{kind}.{WHEN}", knobs.pop(WHEN, True)):
                made = family.parse(PACKAGE, {"kind": kind, **_suggest_all(trial, kind, knobs)})
                chosen[kind] = cast(Transform, made)
    transforms = tuple(chosen[kind] for kind in legal_order(chosen) or ())
    shape = _suggest_all(trial, STUDENT, student_knobs(spaces, teacher))
    student = changed(teacher, {knob: value for knob, value in shape.items() if value != KEPT})
    objective = Objective(**_suggest_all(trial, "distillation", spaces.get("distillation", {})))
    training = _suggest_all(trial, "recovery", spaces.get("recovery", {}))
    stages = Stages(**_suggest_all(trial, "stages", spaces.get("stages", {})))
    trained = [Recovery(**{**recovery.model_dump(), **training}) for recovery in recoveries]
    shapes = capacities(student, teacher, len(trained), stages)
    return Plan(student=student, stages=staged(transforms, trained, objective, stages, shapes))


def legal_order(kinds: Iterable[str]) -> list[str] | None:
    """The kinds in an order in which each may follow all before it; None where there is none.

    Of several that may come first, that which may follow the fewest does.
    """
    known, order = cast(Mapping[str, type[Transform]], family.members(PACKAGE)), []
    left = sorted(kinds, key=lambda kind: (len(known[kind].follows), kind))
    while left:
        first = next((k for k in left if all(k in known[other].follows for other in left if other != k)), None)
        if first is None:
            return None
        left.remove(first)
        order.append(first)
    return order


def in_space(recipe: Mapping[str, Any], spaces: Spaces) -> bool:
    """Whether every value of a recipe is one that the space could suggest, or that it fixes."""
    for name, value in recipe.items():
        space, _, knob = name.partition(".")
        known = spaces.get(space, {})
        if knob not in known or not _contains(known[knob], value):
            return False
    return True


def recipe_in(recipe: Mapping[str, Any], spaces: Spaces) -> dict[str, Any]:
    """What of a recipe can be tried first: without what the space does not have, and without the methods that it does
    not name, where they may be left out. Empty where the space lacks a value of it, or all methods that it uses."""
    known = {name: value for name, value in recipe.items() if name.partition(".")[0] in spaces}
    named = {name.partition(".")[0] for name in known}
    if not in_space(known, spaces) or not any(
        known.get(f"{name}.{WHEN}", True) for name in named & family.members(PACKAGE).keys()
    ):
        return {}
    open_ones = {name: space[WHEN] for name, space in spaces.items() if isinstance(space.get(WHEN), list)}
    switches = {f"{name}.{WHEN}": name in named for name in open_ones if (name in named) in ends_of(open_ones[name])}
    return {**switches, **known}


def _contains(knob: Knob, value: Any) -> bool:
    if isinstance(knob, Range):
        return isinstance(value, int | float) and knob.low <= value <= knob.high
    return value in [_scalar(choice) for choice in (knob if isinstance(knob, list) else [knob])]


def _suggest_all(trial: BaseTrial, space: str, knobs: Mapping[str, Knob]) -> dict[str, Any]:
    return {knob: _suggest(trial, f"{space}.{knob}", values) for knob, values in knobs.items()}


def _suggest(trial: BaseTrial, name: str, knob: Knob) -> Any:
    if isinstance(knob, Range):
        if isinstance(knob.low, int) and isinstance(knob.high, int):
            return trial.suggest_int(name, knob.low, knob.high, step=int(knob.step or 1), log=knob.log)
        return trial.suggest_float(name, knob.low, knob.high, step=knob.step, log=knob.log)
    if isinstance(knob, list):
        chosen = trial.suggest_categorical(name, [_scalar(choice) for choice in knob])
        return next(choice for choice in knob if _scalar(choice) == chosen)
    return knob


def _scalar(choice: Any) -> bool | int | float | str | None:
    """Optuna stores scalars: a list or map choice stands there as its JSON."""
    return choice if choice is None or isinstance(choice, bool | int | float | str) else json.dumps(choice)
