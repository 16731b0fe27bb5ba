"""Students that start from a teacher's weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from autocompress.compress.inherit import inherit
from autocompress.compress.transform import Context
from autocompress.models.dcnv2 import DCNv2Shape
from autocompress.models.recommender import Recommender, build
from autocompress.models.shape import changed, table_dims
from autocompress.schema import Field, Schema, Task

ROWS = (60, 40, 30)
SCHEMA = Schema(
    fields=tuple(Field(name=name) for name in "abc"), tasks=(Task(name="x", label="lx"), Task(name="y", label="ly"))
)
TEACHER = DCNv2Shape(embedding_dim=8, cross_layers=2, cross_rank=12, tower=(32, 16))
FULL_RANK = TEACHER.model_copy(update={"cross_rank": None})


def teacher_of(shape: DCNv2Shape) -> Recommender:
    torch.manual_seed(5)
    model = build(shape, SCHEMA, ROWS)
    with torch.no_grad():
        for table in model.bank.tables:
            table.copy_(torch.randn(table.shape) * 0.5)
    return model.eval()


def context() -> Context:
    draw = np.random.default_rng(1)
    ids = torch.from_numpy(np.floor(draw.random((2_000, 3)) * ROWS).astype(np.int64))
    counts = [np.arange(rows, 0, -1).astype(np.int64) for rows in ROWS]
    return Context(SCHEMA, counts, ids, torch.zeros(2_000, 2))


def inherited(teacher: DCNv2Shape, **changes: Any) -> tuple[torch.Tensor, torch.Tensor, Recommender]:
    """The teacher's and the student's logits on the sample, and the student."""
    model, sample = teacher_of(teacher), context()
    student = inherit(model, DCNv2Shape.model_validate({**teacher.model_dump(), **changes}), sample).eval()
    with torch.no_grad():
        return model(sample.ids), student(sample.ids), student


def explained(wanted: torch.Tensor, found: torch.Tensor) -> float:
    """Share of the variance of the teacher's logits that the student's explain."""
    return float(1 - (wanted - found).square().sum() / (wanted - wanted.mean(0)).square().sum())


@pytest.mark.parametrize("shape", [TEACHER, FULL_RANK, TEACHER.model_copy(update={"tower": ()})])
def test_where_nothing_is_cut_the_student_is_the_teacher(shape: DCNv2Shape) -> None:
    wanted, found, _ = inherited(shape)
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("teacher", [TEACHER, FULL_RANK], ids=["low rank", "full rank"])
@pytest.mark.parametrize(
    ("changes", "share"),
    [
        ({"embedding_dim": 6}, 0.5),
        ({"embedding_dim": {"a": 8, "b": 4, "c": 6}}, 0.5),
        ({"cross_layers": 1}, 0.9),
        ({"cross_layers": 0}, 0.1),  # what the cross network alone saw is gone
        ({"cross_rank": 8}, 0.9),
        ({"tower": (24, 16)}, 0.9),
        ({"tower": (16,)}, 0.9),
        ({"tower": ()}, 0.9),
    ],
    ids=str,
)
def test_a_narrower_student_runs_and_is_near_its_teacher(
    teacher: DCNv2Shape, changes: dict[str, Any], share: float
) -> None:
    wanted, found, student = inherited(teacher, **changes)
    assert found.shape == wanted.shape
    assert explained(wanted, found) > share
    assert student.bank.layout.dims == table_dims(changed(teacher, changes).embedding_dim, SCHEMA.tables)


def test_inheriting_leaves_the_teacher_as_it_was() -> None:
    teacher = teacher_of(TEACHER)
    before = {name: value.clone() for name, value in teacher.state_dict().items()}
    inherit(teacher, TEACHER.model_copy(update={"embedding_dim": 4, "tower": (16, 8)}), context())
    assert all(torch.equal(value, before[name]) for name, value in teacher.state_dict().items())


def test_the_dimensions_with_most_energy_are_kept() -> None:
    teacher = teacher_of(TEACHER)
    with torch.no_grad():
        teacher.bank.table(1)[:, [0, 3, 5, 6]] = 0.0
    student = inherit(teacher, TEACHER.model_copy(update={"embedding_dim": 4}), context())
    assert torch.equal(student.bank.table(1), teacher.bank.table(1)[:, [1, 2, 4, 7]])


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"embedding_dim": 16}, "embedding_dim"),
        ({"embedding_dim": {"a": 8, "b": 9, "c": 8}}, "embedding_dim 9 of b"),
        ({"cross_layers": 3}, "cross_layers"),
        ({"tower": (64, 16)}, "tower"),
        ({"tower": (32, 16, 8)}, "tower"),
    ],
)
def test_a_larger_student_is_refused_by_what_is_larger(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        inherited(TEACHER, **changes)


def test_a_dimension_for_a_field_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match="'d', which is no field"):
        inherited(TEACHER, embedding_dim={"a": 1, "b": 1, "c": 1, "d": 1})
    with pytest.raises(ValueError, match="lacks field 'c'"):
        inherited(TEACHER, embedding_dim={"a": 1, "b": 1})
