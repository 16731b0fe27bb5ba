"""Plans as data: the same JSON is the same plan, whoever writes it."""

from __future__ import annotations

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from autocompress.compress.channels import Channels
from autocompress.compress.plan import Objective, Plan, Recovery, Stage
from autocompress.compress.quantize_dense import QuantizeDense
from autocompress.compress.quantize_tables import QuantizeTables
from autocompress.compress.rows import Rows
from autocompress.models.dcnv2 import DCNv2Shape

shares = st.floats(0.01, 0.99)
widths = st.integers(1, 512)
shapes = st.builds(
    DCNv2Shape,
    embedding_dim=widths | st.dictionaries(st.sampled_from("abc"), widths, min_size=1),
    cross_layers=st.integers(0, 4),
    cross_rank=st.none() | widths,
    tower=st.lists(widths, max_size=3).map(tuple),
)
transforms = st.tuples(
    st.none() | st.builds(Rows, keep=shares),
    st.none()
    | st.builds(Channels, ratio=shares, importance=st.sampled_from(["magnitude", "gradient"]), scope=st.just("global")),
    st.none() | st.builds(QuantizeTables, bits=st.sampled_from([8, 4])),
    st.none() | st.builds(QuantizeDense, calibration=st.sampled_from(["minmax", "percentile"])),
).map(lambda chosen: tuple(each for each in chosen if each is not None))
recoveries = st.builds(
    Recovery,
    data_share=shares,
    learning_rate=shares,
    objective=st.builds(Objective, distillation_weight=shares, temperature=st.floats(1.0, 5.0)),
)
plans = st.builds(
    lambda student, first, recovered: Plan(
        student=student,
        stages=tuple(
            Stage(transforms=first if index == 0 else (), recovery=each) for index, each in enumerate(recovered)
        ),
    ),
    shapes,
    transforms,
    st.lists(recoveries, min_size=1, max_size=3),
)


@given(plans)
def test_a_plan_comes_back_from_json_with_its_digest(plan: Plan) -> None:
    again = Plan.model_validate_json(plan.model_dump_json())
    assert again == plan
    assert again.digest == plan.digest
    assert Plan.model_validate(plan.model_dump(mode="json")) == plan


@given(plans)
def test_the_digest_does_not_depend_on_the_order_of_keys(plan: Plan) -> None:
    backwards = json.loads(plan.model_dump_json(), object_pairs_hook=lambda pairs: dict(reversed(pairs)))
    assert Plan.model_validate(backwards).digest == plan.digest


@given(plans, plans)
def test_digests_are_equal_exactly_where_plans_are(one: Plan, other: Plan) -> None:
    assert (one.digest == other.digest) == (one == other)


def test_the_digest_of_a_plan_is_the_same_in_every_process() -> None:
    plan = Plan(student=DCNv2Shape(), stages=(Stage(transforms=(Rows(keep=0.5), QuantizeTables(bits=4))),))
    text = json.dumps(plan.model_dump(mode="json"), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert plan.digest == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"student": {"embeding_dim": 8}}, "embeding_dim"),
        ({"stages": [{"transforms": [{"kind": "rosw"}]}]}, "did you mean 'rows'"),
        ({"stages": [{"transforms": [{"_target_": "os.system"}]}]}, "kind None is unknown"),
        ({"stages": [{"recovery": {"data_share": 0.0}}]}, "data_share"),
        ({"pickle": "x"}, "pickle"),
    ],
)
def test_what_is_no_plan_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Plan.model_validate({"student": {}, "stages": [], **change})


def test_a_plan_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Plan(student=DCNv2Shape(), stages=()).student = DCNv2Shape()  # type: ignore[misc]


def test_words_say_what_is_done() -> None:
    teacher = DCNv2Shape(embedding_dim=16, tower=(256, 256), cross_rank=64, cross_layers=2)
    everything = (Rows(keep=0.5), Channels(ratio=0.6), QuantizeTables(bits=4), QuantizeDense())
    plan = Plan(student=teacher.model_copy(update={"tower": (128,)}), stages=(Stage(transforms=everything),))
    assert plan.words(teacher) == "tower 128, keeps 50 % of rows, 40 % of channels, 4/8 bit"
    assert Plan(student=teacher, stages=(Stage(),)).words(teacher) == "the teacher as it is"


def test_words_name_every_respect_in_which_a_student_is_another() -> None:
    teacher = DCNv2Shape(embedding_dim=16, tower=(256, 256), cross_rank=64, cross_layers=2)
    changes = {"embedding_dim": 4, "cross_layers": 1, "cross_rank": 8, "tower": (64, 32)}
    student = teacher.model_copy(update=changes)
    assert Plan(student=student, stages=()).words(teacher) == "d 4, 1 cross layer, rank 8, tower 64x32"
