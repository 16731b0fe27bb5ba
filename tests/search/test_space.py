"""Search spaces: what a person may write, and the plans that come out of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

import optuna
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from optuna.trial import FixedTrial
from pydantic import TypeAdapter, ValidationError

from autocompress.compress.plan import PACKAGE, Plan, Recovery
from autocompress.config.compose import compose
from autocompress.errors import UserError
from autocompress.family import members
from autocompress.models.dcnv2 import DCNv2Shape
from autocompress.search.space import Knob, Range, Spaces, check_spaces, in_space, legal_order, recipe_in, suggest

TEACHER = DCNv2Shape(embedding_dim=16, cross_layers=2, cross_rank=64, tower=(256, 256))
RUNGS = [Recovery(data_share=0.25), Recovery(data_share=1.0)]
PACKAGED = Path(__file__).parents[2] / "search_spaces"


def spaces(content: Mapping[str, Any]) -> Spaces:
    return check_spaces(TypeAdapter(Spaces).validate_python(content))


def packaged() -> Spaces:
    read = {path.stem: yaml.safe_load(path.read_text()) for path in PACKAGED.glob("*.yaml")}
    return spaces({name: space for name, space in read.items() if "defaults" not in space})


def plan(content: Mapping[str, Any], chosen: Mapping[str, Any]) -> Plan:
    return suggest(FixedTrial(dict(chosen)), spaces(content), TEACHER, RUNGS)


def test_an_empty_space_is_the_teacher_trained_at_every_rung() -> None:
    made = plan({}, {})
    assert made.student == TEACHER
    assert made.transforms() == ()
    assert [stage.recovery.data_share for stage in made.stages] == [0.25, 1.0]


def test_parameters_are_called_by_space_and_knob() -> None:
    made = plan(
        {"rows": {"keep": {"low": 0.1, "high": 1.0}}, "quantize_tables": {"bits": [4, 8]}},
        {"rows.keep": 0.5, "quantize_tables.bits": 4},
    )
    assert [each.kind for each in made.transforms()] == ["rows", "quantize_tables"]
    assert made.transforms()[0].model_dump()["keep"] == 0.5
    assert made.transforms()[1].model_dump()["bits"] == 4


def test_transforms_stand_in_the_first_stage_only() -> None:
    made = plan({"rows": {"keep": [0.5]}}, {"rows.keep": 0.5})
    assert [len(stage.transforms) for stage in made.stages] == [1, 0]


def test_a_method_that_is_left_out_asks_for_no_knob() -> None:
    space = {"channels": {"when": [True, False], "ratio": {"low": 0.1, "high": 0.8}}}
    asked = FixedTrial({"channels.when": False})
    made = suggest(asked, spaces(space), TEACHER, RUNGS)
    assert made.transforms() == ()
    assert set(asked.params) == {"channels.when"}
    with pytest.raises(ValueError, match=r"channels\.ratio"):
        plan(space, {"channels.when": True})


@pytest.mark.parametrize("when", [True, False])
def test_when_may_be_fixed(when: bool) -> None:
    made = plan({"rows": {"when": when, "keep": 0.5}}, {})
    assert len(made.transforms()) == int(when)


def test_a_fixed_knob_is_no_parameter() -> None:
    asked = FixedTrial({"rows.keep": 0.3})
    made = suggest(asked, spaces({"rows": {"keep": [0.3]}, "channels": {"ratio": 0.5}}), TEACHER, RUNGS)
    assert set(asked.params) == {"rows.keep"}
    assert made.transforms()[1].model_dump()["ratio"] == 0.5


def test_a_list_that_is_a_choice_is_stored_as_its_json_and_used_as_a_list() -> None:
    made = plan({"student": {"tower": [[256, 256], [128], []]}}, {"student.tower": "[128]"})
    assert made.student.tower == (128,)
    assert plan({"student": {"tower": [[128], []]}}, {"student.tower": "[]"}).student.tower == ()


def test_a_student_may_keep_what_the_teacher_has_whatever_that_is() -> None:
    space = {"student": {"tower": ["teacher", [64]]}}
    assert plan(space, {"student.tower": "teacher"}).student == TEACHER
    assert plan(space, {"student.tower": "[64]"}).student.tower == (64,)


def test_a_method_that_goes_with_no_chosen_one_is_not_asked_for() -> None:
    space = {"weights": {"when": [True, False], "sparsity": 0.5}, "quantize_dense": {"when": [True, False]}}
    asked = FixedTrial({"weights.when": True})
    made = suggest(asked, spaces(space), TEACHER, RUNGS)
    assert [each.kind for each in made.transforms()] == ["weights"]
    both = suggest(FixedTrial({"weights.when": False, "quantize_dense.when": True}), spaces(space), TEACHER, RUNGS)
    assert [each.kind for each in both.transforms()] == ["quantize_dense"]


def test_two_methods_that_no_plan_may_hold_are_named() -> None:
    with pytest.raises(UserError, match="no plan may hold both weights and quantize_dense: leave one out, or set"):
        spaces({"weights": {"sparsity": 0.5}, "quantize_dense": {"when": [True]}})


def test_only_the_student_may_keep_what_the_teacher_has() -> None:
    with pytest.raises(UserError, match=r"search_spaces\.rows\.keep: 'teacher' does not fit"):
        spaces({"rows": {"keep": [0.5, "teacher"]}})


def test_knobs_of_the_student_that_are_absent_stay_the_teachers() -> None:
    made = plan({"student": {"embedding_dim": [4, 8]}}, {"student.embedding_dim": 4})
    assert made.student == TEACHER.model_copy(update={"embedding_dim": 4})


def test_training_knobs_hold_at_every_rung_and_keep_the_rungs_data() -> None:
    made = plan(
        {
            "recovery": {"learning_rate": {"low": 1e-4, "high": 1e-2, "log": True}},
            "distillation": {"distillation_weight": {"low": 0.0, "high": 1.0}, "temperature": 2},
        },
        {"recovery.learning_rate": 0.002, "distillation.distillation_weight": 0.7},
    )
    for stage, rung in zip(made.stages, RUNGS, strict=True):
        assert stage.recovery.learning_rate == 0.002
        assert stage.recovery.objective.distillation_weight == 0.7
        assert stage.recovery.objective.temperature == 2.0
        assert stage.recovery.data_share == rung.data_share


def test_the_packaged_space_suggests_only_legal_plans_that_it_holds_itself() -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    space, kinds = packaged(), set()
    for _ in range(60):
        trial = study.ask()
        made = suggest(trial, space, TEACHER, RUNGS)
        assert Plan.model_validate_json(made.model_dump_json()) == made
        assert made.student.larger_than(TEACHER) is None
        assert in_space(trial.params, space)
        kinds |= {each.kind for each in made.transforms()}
    assert kinds == set(members(PACKAGE))


@pytest.mark.parametrize("name", ["quick", "full", "pruning", "quantization", "tables", "dense"])
def test_a_ready_space_suggests_legal_plans_of_all_its_methods(name: str) -> None:
    (config,) = compose([f"search_spaces={name}"])
    study, kinds = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0)), set()
    for _ in range(150):
        kinds |= {each.kind for each in suggest(study.ask(), config.search_spaces, TEACHER, RUNGS).transforms()}
    assert kinds == {kind for kind in config.search_spaces if kind in members(PACKAGE)}
    assert name != "full" or kinds == set(members(PACKAGE))


def test_a_ready_space_is_narrowed_by_the_names_of_its_methods() -> None:
    (config,) = compose(["search_spaces=[tables,recovery]", "search_spaces.quantize_tables.bits=[4,8]"])
    assert config.search_spaces["quantize_tables"]["bits"] == [4, 8]


def test_the_same_parameters_make_the_same_plan() -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=3))
    trial = study.ask()
    made = suggest(trial, packaged(), TEACHER, RUNGS)
    again = suggest(FixedTrial(trial.params), packaged(), TEACHER, RUNGS)
    assert again.digest == made.digest


@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 2**31))
def test_whole_ends_make_whole_numbers_and_both_ends_are_reached(low: int, more: int, seed: int) -> None:
    space = spaces({"recovery": {"batch_size": {"low": low, "high": low + more}}})
    for value in (low, low + more):
        made = suggest(FixedTrial({"recovery.batch_size": value}), space, TEACHER, RUNGS)
        assert made.stages[0].recovery.batch_size == value
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    trial = study.ask()
    suggest(trial, space, TEACHER, RUNGS)
    assert isinstance(trial.params["recovery.batch_size"], int)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"low": 1.0, "high": 1.0}, "is not below high"),
        ({"low": 2, "high": 1}, "is not below high"),
        ({"low": 0.0, "high": 1.0, "log": True}, "a log range needs low > 0"),
        ({"low": 0.1, "high": 1.0, "log": True, "step": 0.1}, "no step"),
        ({"low": 0.1, "high": 1.0, "step": 0.0}, "greater than 0"),
        ({"low": 0, "high": 1, "step": 0.1}, "step 0.1 is no whole number"),
        ({"low": 0.1, "high": 1.0, "lgo": True}, "lgo"),
    ],
)
def test_a_range_that_is_none_is_refused(content: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        Range.model_validate(content)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"rosw": {"keep": 0.5}}, r"search_spaces\.rosw: no compression method.*did you mean 'rows'"),
        (
            {"rows": {"kepe": 0.5}},
            r"search_spaces\.rows\.kepe: unknown knob; allowed: keep, importance, buckets, when .*did you mean 'keep'",
        ),
        ({"rows": {"kind": "rows"}}, r"search_spaces\.rows\.kind: unknown knob"),
        ({"rows": {"keep": []}}, r"search_spaces\.rows\.keep: has no choice left"),
        ({"rows": {"keep": {"low": 0.5, "high": 1.5}}}, r"search_spaces\.rows\.keep: 1\.5 does not fit"),
        ({"quantize_tables": {"bits": [4, 3]}}, r"search_spaces\.quantize_tables\.bits: 3 does not fit"),
        ({"channels": {"ratio": 0.5, "importance": "magnitud"}}, r"search_spaces\.channels\.importance: 'magnitud'"),
        ({"student": {"when": True}}, r"search_spaces\.student\.when: unknown knob"),
        ({"student": {"tower": [[128], [-1]]}}, r"search_spaces\.student\.tower: \[-1\] does not fit"),
        ({"distillation": {"temperature": 0}}, r"search_spaces\.distillation\.temperature: 0 does not fit"),
        ({"rows": {"keep": 0.5, "when": "flase"}}, r"search_spaces\.rows\.when: 'flase' does not fit.*true.*false"),
        ({"rows": {"keep": 0.5, "when": [True, 3]}}, r"search_spaces\.rows\.when: 3 does not fit"),
        ({"rows": {}}, r"search_spaces\.rows: lacks the knob keep"),
        ({"channels": {"importance": "magnitude"}}, r"search_spaces\.channels: lacks the knob ratio"),
    ],
    ids=lambda value: json.dumps(value) if isinstance(value, dict) else "",
)
def test_what_stands_for_nothing_is_refused_by_its_key(content: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        spaces(content)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "kinds", [c for n in range(1, 5) for c in combinations(sorted(members(PACKAGE)), n)], ids="-".join
)
def test_any_methods_together_get_an_order_that_a_plan_accepts_or_two_of_them_exclude_each_other(
    kinds: tuple[str, ...],
) -> None:
    order = legal_order(kinds)
    if order is None:
        follows = {kind: members(PACKAGE)[kind].follows for kind in kinds}  # type: ignore[attr-defined]
        assert any(one not in follows[two] and two not in follows[one] for one, two in combinations(kinds, 2))
        return
    assert sorted(order) == sorted(kinds)
    assert legal_order(reversed(kinds)) == order
    for n, kind in enumerate(order):
        assert set(order[:n]) <= members(PACKAGE)[kind].follows  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("recipe", "held"),
    [
        ({"rows.keep": 0.5, "quantize_tables.bits": 4}, True),
        ({"student.tower": "[128]", "channels.when": False}, True),
        ({}, True),
        ({"rows.keep": 0.001}, False),
        ({"quantize_tables.bits": 2}, False),
        ({"student.tower": "[129]"}, False),
        ({"student.cross_rank": 8}, False),
        ({"hashing.rows": 8}, False),
    ],
)
def test_a_recipe_is_in_the_space_where_all_of_its_values_are(recipe: dict[str, Any], held: bool) -> None:
    assert in_space(recipe, packaged()) is held


def test_a_recipe_is_tried_without_what_the_space_lacks_and_without_what_the_recipe_does_not_name() -> None:
    space: Spaces = {
        "rows": {"keep": Range(low=0.1, high=1.0), "when": [True, False]},
        "quantize_tables": {"bits": [4, 8], "granularity": "row"},
        "hashing": {"rows": [8], "when": [True, False]},
    }
    recipe = {"rows.keep": 0.5, "quantize_tables.bits": 4, "student.tower": "teacher", "recovery.learning_rate": 0.1}
    found = {"rows.keep": 0.5, "quantize_tables.bits": 4, "rows.when": True, "hashing.when": False}
    assert recipe_in(recipe, space) == found
    assert recipe_in({**recipe, "quantize_tables.granularity": "row"}, space) == {
        **found,
        "quantize_tables.granularity": "row",
    }
    assert recipe_in({**recipe, "quantize_tables.granularity": "field"}, space) == {}
    assert recipe_in({"recovery.learning_rate": 0.1}, {"recovery": {"learning_rate": [0.1]}}) == {}
    assert recipe_in({"rows.when": False, "student.tower": "teacher"}, space) == {}


@pytest.mark.parametrize("name", ["quick", "pruning", "quantization", "tables"])
def test_a_ready_space_begins_with_a_known_good_plan(name: str) -> None:
    (config,) = compose(["search=ads", f"search_spaces=[{name}]"])
    assert any(recipe_in(recipe, config.search_spaces) for recipe in config.study.recipes)


@pytest.mark.parametrize(
    ("text", "low", "high", "log", "step"),
    [
        ("0.1..0.8", 0.1, 0.8, False, None),
        ("1e-4..1e-2 log", 1e-4, 1e-2, True, None),
        ("4..16", 4, 16, False, None),
        ("0.1..0.5 step 0.2", 0.1, 0.5, False, 0.2),
        ("-2..3", -2, 3, False, None),
    ],
)
def test_a_range_is_written_as_text(text: str, low: float, high: float, log: bool, step: float | None) -> None:
    found = TypeAdapter(Knob).validate_python(text)
    assert found == Range(low=low, high=high, log=log, step=step)
    assert isinstance(found, Range)
    assert type(found.low) is type(low)


@pytest.mark.parametrize("text", ["magnitude", "a..b", "1..", "0.1..0.8 lg", "1.5"])
def test_other_text_is_a_fixed_value(text: str) -> None:
    assert TypeAdapter(Knob).validate_python(text) == text
