"""How the stages of a plan differ: what is imitated first, what is removed when."""

from __future__ import annotations

import math
from typing import Literal

import pytest

from autocompress.compress.channels import Channels
from autocompress.compress.fields import Fields
from autocompress.compress.plan import Objective, Plan, Recovery, Stage
from autocompress.compress.quantize_dense import QuantizeDense
from autocompress.compress.quantize_tables import QuantizeTables
from autocompress.compress.rows import Rows
from autocompress.compress.transform import Transform
from autocompress.models.dcnv2 import DCNv2Shape
from autocompress.search.stages import Stages, capacities, staged

TRANSFORMS: tuple[Transform, ...] = (Rows(keep=0.2), Channels(ratio=0.75), QuantizeTables(bits=4), QuantizeDense())
RECOVERIES = [Recovery(data_share=share) for share in (0.1, 0.5, 1.0)]
OBJECTIVE = Objective(distillation_weight=0.8, temperature=4.0, feature_weight=0.5)


def test_at_once_everything_is_applied_before_the_first_training() -> None:
    made = staged(TRANSFORMS, RECOVERIES, OBJECTIVE, Stages())
    assert [stage.transforms for stage in made] == [TRANSFORMS, (), ()]
    assert [stage.recovery.data_share for stage in made] == [0.1, 0.5, 1.0]
    assert [stage.recovery.objective for stage in made] == [OBJECTIVE] * 3


def test_rising_removal_takes_equal_shares_and_bits_fall_while_int8_waits_for_the_last_stage() -> None:
    made = staged(TRANSFORMS, RECOVERIES, OBJECTIVE, Stages(removal="rising"))
    kinds = [[each.kind for each in stage.transforms] for stage in made]
    assert kinds == [
        ["rows", "channels", "quantize_tables"],
        ["rows", "channels", "quantize_tables"],
        ["rows", "channels", "quantize_tables", "quantize_dense"],
    ]
    rows = [each.keep for stage in made for each in stage.transforms if isinstance(each, Rows)]
    channels = [each.ratio for stage in made for each in stage.transforms if isinstance(each, Channels)]
    bits = [each.bits for stage in made for each in stage.transforms if isinstance(each, QuantizeTables)]
    assert bits == [8, 8, 4]
    assert math.prod(rows) == pytest.approx(0.2)
    assert math.prod(1 - ratio for ratio in channels) == pytest.approx(0.25)
    assert Plan(student=DCNv2Shape(), stages=made).transforms()[-1] == QuantizeDense()


def test_in_two_phases_labels_count_in_the_last_stage_alone_and_features_in_all_others() -> None:
    first, second, last = (s.recovery.objective for s in staged((), RECOVERIES, OBJECTIVE, Stages(two_phases=True)))
    assert (first, first.distillation_weight, first.feature_weight) == (second, 1.0, 0.5)
    assert (last.distillation_weight, last.feature_weight) == (0.8, 0.0)


def test_weight_and_temperature_run_from_the_first_stage_to_the_last() -> None:
    stages = Stages(last_distillation_weight=0.2, last_temperature=1.0)
    made = [stage.recovery.objective for stage in staged((), RECOVERIES, OBJECTIVE, stages)]
    assert [each.distillation_weight for each in made] == pytest.approx([0.8, 0.5, 0.2])
    assert [each.temperature for each in made] == pytest.approx([4.0, 2.5, 1.0])


@pytest.mark.parametrize(
    ("bits", "several", "falling"), [(2, 3, [8, 4, 2]), (2, 2, [4, 2]), (4, 2, [8, 4]), (8, 2, [8, 8])]
)
def test_bits_fall_to_those_of_the_plan(bits: Literal[8, 4, 2], several: int, falling: list[int]) -> None:
    assert [each.bits for each in QuantizeTables(bits=bits).in_steps(several)] == falling


TEACHER = DCNv2Shape(embedding_dim=16, cross_layers=2, cross_rank=64, tower=(256, 256))


def test_a_shrinking_student_begins_as_the_teacher_and_narrows_by_equal_factors() -> None:
    student = DCNv2Shape(embedding_dim=4, cross_layers=1, cross_rank=16, tower=(64, 64))
    shapes = capacities(student, TEACHER, 3, Stages(capacity="shrinking"))
    assert shapes == [
        TEACHER,
        TEACHER.model_copy(update={"embedding_dim": 8, "cross_rank": 32, "tower": (128, 128)}),
        None,
    ]


def test_a_growing_student_begins_with_half_of_its_widths() -> None:
    shapes = capacities(TEACHER, TEACHER, 3, Stages(capacity="growing"))
    half, between = {"embedding_dim": 8, "tower": (128, 128)}, {"embedding_dim": 11, "tower": (181, 181)}
    assert shapes == [*(TEACHER.model_copy(update=changes) for changes in (half, between)), None]


def test_a_student_that_changes_its_shape_is_compressed_when_it_has_its_own() -> None:
    stages = Stages(capacity="growing", removal="rising")
    shapes = capacities(TEACHER, TEACHER, 3, stages)
    made = staged(TRANSFORMS, RECOVERIES, OBJECTIVE, stages, shapes)
    assert [stage.transforms for stage in made] == [(), (), TRANSFORMS]
    plan = Plan(student=TEACHER, stages=made)
    assert plan.in_steps
    assert [plan.shape_in(index) for index in range(3)] == [*shapes[:2], TEACHER]


@pytest.mark.parametrize("capacity", ["fixed", "growing", "shrinking"])
def test_a_plan_of_one_stage_has_its_shape_from_the_start(capacity: Literal["fixed", "growing", "shrinking"]) -> None:
    assert capacities(DCNv2Shape(), TEACHER, 1, Stages(capacity=capacity)) == [None]


def test_a_shape_of_its_own_in_the_last_stage_or_behind_a_transform_is_refused() -> None:
    own, pruned = Stage(student=TEACHER), Stage(transforms=TRANSFORMS[:1])
    for stages in ((pruned, own), (own,), (pruned, own, Stage())):
        with pytest.raises(ValueError, match="before the last and before all transforms"):
            Plan(student=DCNv2Shape(), stages=stages)


def test_a_plan_of_one_stage_is_the_last_and_the_first() -> None:
    stages = Stages(two_phases=True, removal="rising", last_distillation_weight=0.3)
    (only,) = staged(TRANSFORMS, RECOVERIES[:1], OBJECTIVE, stages)
    assert only.transforms == TRANSFORMS
    assert only.recovery.objective.distillation_weight == pytest.approx(0.3)


def test_what_must_stand_first_goes_first_and_what_has_no_legal_order_in_steps_goes_at_once() -> None:
    transforms: tuple[Transform, ...] = (Rows(keep=0.2), Fields(keep=0.5), Channels(ratio=0.75), QuantizeTables())
    made = staged(transforms, RECOVERIES, OBJECTIVE, Stages(removal="rising"))
    kinds = [[each.kind for each in stage.transforms] for stage in made]
    rest = ["channels", "quantize_tables"]
    assert kinds == [["rows", "fields", *rest], rest, rest]
    Plan(student=DCNv2Shape(), stages=made)
