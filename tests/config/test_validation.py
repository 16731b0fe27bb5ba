from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, PlainValidator, ValidationError, field_validator

from autocompress.config.key_path import key_path
from autocompress.config.validation import user_error


class Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Logs(Strict):
    kind: Literal["logs"] = "logs"
    root: str
    days: int = Field(default=3, gt=0)


class Simulator(Strict):
    kind: Literal["simulator"] = "simulator"
    root: Literal["memory", "disk"] = "memory"


class Stage(Strict):
    share: float


class Space(Strict):
    keep: tuple[float, ...]

    @field_validator("keep")
    @classmethod
    def some(cls, keep: tuple[float, ...]) -> tuple[float, ...]:
        if not keep:
            raise ValueError("needs one value or more, as in [0.5]")
        return keep


class Rounding(Strict):
    kind: Literal["rounding-for-this-test"]
    bits: Literal[4, 8] = 8
    rows: Stage | None = None


class Run(Strict):
    # As a family found on disk is declared: the type does not say which models there are.
    step: Annotated[object, PlainValidator(Rounding.model_validate)] = None
    data: Annotated[Logs | Simulator, Field(discriminator="kind")]
    stages: tuple[Stage, ...] = ()
    spaces: dict[str, Space] = Field(default_factory=dict)
    best: Stage | None = None
    limit: int | Literal["none"] = 3


GOOD: dict[str, Any] = {"data": {"kind": "simulator"}}

FAULTS = {
    "a misspelt key under a tag": (
        {"data": {"kind": "logs", "root": "x", "dyas": 2}},
        "data.dyas: unknown key; allowed: days, kind, root (did you mean 'days'?)",
    ),
    "a misspelt key before what it leaves missing": (
        {"data": {"kind": "logs", "rooot": "x"}},
        "data.rooot: unknown key; allowed: days, kind, root (did you mean 'root'?) (and 1 more)",
    ),
    "a key that is missing": ({"data": {"kind": "logs"}}, "data.root: is required"),
    "a number out of range": (
        {"data": {"kind": "logs", "root": "x", "days": 0}},
        "data.days=0: input should be greater than 0",
    ),
    "a word among few": (
        {"data": {"kind": "simulator", "root": "memry"}},
        "data.root=memry: allowed: memory, disk (did you mean 'memory'?)",
    ),
    "an unknown tag": (
        {"data": {"kind": "simulatr"}},
        "data.kind=simulatr: allowed: logs, simulator (did you mean 'simulator'?)",
    ),
    "no tag": ({"data": {}}, "data.kind: is required"),
    "an entry of a list": (GOOD | {"stages": [{"share": 0.1}, {"share": "all"}]}, "stages.1.share=all: input should"),
    "an entry of a map": (GOOD | {"spaces": {"rows": {"keep": ["x"]}}}, "spaces.rows.keep.0=x: input should be"),
    "a reason of our own": (
        GOOD | {"spaces": {"rows": {"keep": []}}},
        "spaces.rows.keep: needs one value or more, as in [0.5]",
    ),
    "a key of an optional model": (
        GOOD | {"best": {"share": 0.5, "shre": 1}},
        "best.shre: unknown key; allowed: share (did you mean 'share'?)",
    ),
    "a value of an untagged union": (GOOD | {"limit": "nine"}, "limit=nine: "),
    "a key at the root": (
        GOOD | {"stagse": []},
        "stagse: unknown key; allowed: best, data, limit, spaces, stages, step",
    ),
    "a misspelt key of a family": (
        GOOD | {"step": {"kind": "rounding-for-this-test", "bit": 4}},
        "step.bit: unknown key; allowed: bits, kind, rows (did you mean 'bits'?)",
    ),
    "a key below a family": (
        GOOD | {"step": {"kind": "rounding-for-this-test", "rows": {"share": 1, "shre": 1}}},
        "step.rows.shre: unknown key; allowed: share (did you mean 'share'?)",
    ),
    "a key of nobody knows what": (GOOD | {"step": {}}, "step.kind: is required"),
    "null": (GOOD | {"stages": None}, "stages=null: input should be a valid tuple"),
}


@pytest.mark.parametrize(("given", "expected"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_one_line_that_begins_with_the_key(given: dict[str, Any], expected: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Run.model_validate(given)
    line = str(user_error(caught.value, Run, given))
    assert line.startswith(expected)
    assert "\n" not in line


def test_a_key_that_is_named_like_a_tag_is_kept() -> None:
    class Named(Strict):
        logs: Annotated[Logs | Simulator, Field(discriminator="kind")]

    assert key_path(Named, ("logs", "logs", "root"), {}) == (("logs", "root"), Logs)


def test_long_values_are_cut() -> None:
    with pytest.raises(ValidationError) as caught:
        Run.model_validate(GOOD | {"limit": "x" * 500})
    assert len(str(user_error(caught.value, Run, {}))) < 200
