"""How the stages of a plan differ: what is imitated first, what is removed when."""

from __future__ import annotations

import math

import pytest

from autocompress.compress.channels import Channels
from autocompress.compress.fields import Fields
from autocompress.compress.plan import Objective, Plan, Recovery
from autocompress.compress.quantize_dense import QuantizeDense
from autocompress.compress.quantize_tables import QuantizeTables
from autocompress.compress.rows import Rows
from autocompress.compress.transform import Transform
from autocompress.models.dcnv2 import DCNv2Shape
from autocompress.search.stages import Stages, staged

TRANSFORMS: tuple[Transform, ...] = (Rows(keep=0.2), Channels(ratio=0.75), QuantizeTables(bits=4), QuantizeDense())
RECOVERIES = [Recovery(data_share=share) for share in (0.1, 0.5, 1.0)]
OBJECTIVE = Objective(distillation_weight=0.8, temperature=4.0, feature_weight=0.5)


def test_at_once_everything_is_applied_before_the_first_training() -> None:
    made = staged(TRANSFORMS, RECOVERIES, OBJECTIVE, Stages())
    assert [stage.transforms for stage in made] == [TRANSFORMS, (), ()]
    assert [stage.recovery.data_share for stage in made] == [0.1, 0.5, 1.0]
    assert [stage.recovery.objective for stage in made] == [OBJECTIVE] * 3


def test_rising_removal_takes_equal_shares_and_leaves_bits_to_the_last_stage() -> None:
    made = staged(TRANSFORMS, RECOVERIES, OBJECTIVE, Stages(removal="rising"))
    kinds = [[each.kind for each in stage.transforms] for stage in made]
    assert kinds == [
        ["rows", "channels"],
        ["rows", "channels"],
        ["rows", "channels", "quantize_tables", "quantize_dense"],
    ]
    rows = [each.keep for stage in made for each in stage.transforms if isinstance(each, Rows)]
    channels = [each.ratio for stage in made for each in stage.transforms if isinstance(each, Channels)]
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


def test_a_plan_of_one_stage_is_the_last_and_the_first() -> None:
    stages = Stages(two_phases=True, removal="rising", last_distillation_weight=0.3)
    (only,) = staged(TRANSFORMS, RECOVERIES[:1], OBJECTIVE, stages)
    assert only.transforms == TRANSFORMS
    assert only.recovery.objective.distillation_weight == pytest.approx(0.3)


def test_what_must_stand_first_goes_first_and_what_has_no_legal_order_in_steps_goes_at_once() -> None:
    transforms: tuple[Transform, ...] = (Rows(keep=0.2), Fields(keep=0.5), Channels(ratio=0.75), QuantizeTables())
    made = staged(transforms, RECOVERIES, OBJECTIVE, Stages(removal="rising"))
    kinds = [[each.kind for each in stage.transforms] for stage in made]
    assert kinds == [["rows"], ["rows"], ["rows", "fields", "channels", "quantize_tables"]]
    Plan(student=DCNv2Shape(), stages=made)
