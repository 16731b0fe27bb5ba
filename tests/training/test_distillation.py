"""Losses of distillation: against slow references, and at rest where student and teacher are the same."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from autocompress.training.distillation import contrastive, hint, relational, softened_binary, softened_softmax
from autocompress.training.in_batch import in_batch_logits, in_batch_loss
from autocompress.training.listwise import listwise_loss

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
ROWS, WIDTH = 12, 5
GROUPS = torch.tensor([0, 0, 0, 1, 1, 2, 2, 2, 2, 3, 3, 3])
LABELS = torch.zeros(ROWS, 6).index_fill(0, torch.tensor([1, 3, 6, 9]), 1.0).double()
ITEMS, LOG_Q = torch.tensor([0, 1, 2, 0, 3, 4, 5, 6, 7, 8, 9, 1]), torch.linspace(-3.0, -1.0, 10)


def in_batch(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    user, item = student.chunk(2, dim=1)
    return in_batch_loss(user, item, ITEMS, torch.ones(ROWS, 1), LOG_Q, teacher, 1.0, 1.0)


def binary(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    return softened_binary(student, teacher, torch.ones(student.shape[1])).sum()


def listwise(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    return listwise_loss(student, LABELS[:, : student.shape[1]], GROUPS, teacher, 1.0, 1.0)


LOSSES: dict[str, Loss] = {
    "binary": binary,
    "softmax": lambda student, teacher: softened_softmax(student, teacher, 1.0),
    "listwise": listwise,
    "in-batch softmax": in_batch,
    "hint": hint,
    "relational": relational,
    "contrastive": contrastive,
}


def drawn(seed: int, width: int = WIDTH) -> torch.Tensor:
    return torch.randn(ROWS, width, generator=torch.Generator().manual_seed(seed)).double()


def gradient_of(loss: Loss, student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    leaf = student.clone().requires_grad_()
    (found,) = torch.autograd.grad(loss(leaf, teacher), leaf)
    return found


@pytest.mark.parametrize("name", LOSSES)
def test_at_temperature_1_and_weight_1_a_student_that_is_its_teacher_does_not_move(name: str) -> None:
    teacher = drawn(0, 6)
    assert float(gradient_of(LOSSES[name], teacher, teacher).abs().max()) < 1e-6
    assert float(gradient_of(LOSSES[name], drawn(1, 6), teacher).abs().max()) > 1e-3


@pytest.mark.parametrize("name", LOSSES)
def test_a_step_against_the_gradient_lowers_the_loss(name: str) -> None:
    student, teacher = drawn(1, 6), drawn(0, 6)
    step = gradient_of(LOSSES[name], student, teacher)
    moved = student - 1e-3 * step / step.norm()
    assert float(LOSSES[name](moved, teacher)) < float(LOSSES[name](student, teacher))


@pytest.mark.parametrize("name", LOSSES)
def test_its_gradient_is_that_of_finite_differences(name: str) -> None:
    student, teacher, loss = drawn(1, 6), drawn(0, 6), LOSSES[name]
    found = gradient_of(loss, student, teacher)
    # its products are float32, whatever comes in
    step, error = (1e-2, 1e-3) if name == "in-batch softmax" else (1e-5, 1e-5)
    for row, column in ((0, 0), (3, 2), (11, 5)):
        ends = []
        for sign in (1.0, -1.0):
            moved = student.clone()
            moved[row, column] += sign * step
            ends.append(float(loss(moved, teacher)))
        assert float(found[row, column]) == pytest.approx((ends[0] - ends[1]) / (2 * step), abs=error)


@given(st.integers(0, 99), st.sampled_from([1.0, 2.0, 5.0]))
def test_a_softened_softmax_is_what_a_loop_over_rows_and_choices_gives(seed: int, temperature: float) -> None:
    student, teacher = drawn(seed), drawn(seed + 100)
    wanted = 0.0
    for mine, theirs in zip(student.tolist(), teacher.tolist(), strict=True):
        of_mine = [math.exp(value / temperature) for value in mine]
        of_theirs = [math.exp(value / temperature) for value in theirs]
        for own, other in zip(of_mine, of_theirs, strict=True):
            wanted -= other / sum(of_theirs) * math.log(own / sum(of_mine))
    found = float(softened_softmax(student, teacher, temperature))
    assert found == pytest.approx(temperature**2 * wanted / ROWS, rel=1e-9)


def test_what_is_no_choice_counts_on_neither_side() -> None:
    student, teacher = drawn(1), drawn(0)
    none = torch.full((ROWS, 1), -torch.inf).double()
    with_more = softened_softmax(torch.cat([student, none], dim=1), torch.cat([teacher, none], dim=1), 2.0)
    assert float(with_more) == pytest.approx(float(softened_softmax(student, teacher, 2.0)))


def test_relational_distances_are_those_of_a_loop_over_pairs() -> None:
    student, teacher = drawn(1), drawn(0, 9)

    def distances(rows: torch.Tensor) -> list[float]:
        found = [float((rows[i] - rows[j]).norm()) for i in range(ROWS) for j in range(ROWS) if i != j]
        return [each / (sum(found) / len(found)) for each in found]

    apart = [abs(mine - theirs) for mine, theirs in zip(distances(student), distances(teacher), strict=True)]
    wanted = sum(0.5 * each**2 if each < 1 else each - 0.5 for each in apart) / len(apart)
    assert float(relational(student, teacher)) == pytest.approx(wanted, rel=1e-6)


def test_a_hint_is_measured_in_units_of_the_teacher() -> None:
    student, teacher = drawn(1), drawn(0)
    assert float(hint(10 * student, 10 * teacher)) == pytest.approx(float(hint(student, teacher)))
    assert float(hint(torch.zeros_like(teacher), teacher)) == pytest.approx(1.0)


@given(st.integers(0, 99))
def test_contrastive_distillation_is_least_where_each_row_is_nearest_to_its_own(seed: int) -> None:
    teacher = drawn(seed)
    own, others = float(contrastive(teacher, teacher)), float(contrastive(teacher.roll(1, 0), teacher))
    assert own < others


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_listwise_distillation_is_what_a_loop_over_groups_gives(temperature: float) -> None:
    student, teacher = drawn(1, 2), drawn(0, 2)
    labels = LABELS[:, :2]
    losses = []
    for task in range(2):
        for group in range(4):
            rows = torch.nonzero(GROUPS.eq(group))[:, 0]
            target = torch.softmax(teacher[rows, task] / temperature, dim=0)
            losses.append(-(target * torch.log_softmax(student[rows, task] / temperature, dim=0)).sum())
    wanted = temperature**2 * float(torch.stack(losses).mean())
    found = float(listwise_loss(student, labels, GROUPS, teacher, 1.0, temperature))
    assert found == pytest.approx(wanted, rel=1e-9)


def test_a_share_between_mixes_labels_and_teacher() -> None:
    student, teacher = drawn(1, 6), drawn(0, 6)
    user, item = student.chunk(2, dim=1)
    given_ = (user, item, ITEMS, torch.ones(ROWS, 1), LOG_Q, teacher)
    ends = [float(in_batch_loss(*given_, share, 2.0)) for share in (0.0, 1.0)]
    assert float(in_batch_loss(*given_, 0.25, 2.0)) == pytest.approx(0.75 * ends[0] + 0.25 * ends[1])
    of_user, of_item = teacher.chunk(2, dim=1)
    wanted = softened_softmax(
        in_batch_logits(user @ item.T, ITEMS, LOG_Q), in_batch_logits(of_user @ of_item.T, ITEMS, LOG_Q), 2.0
    )
    assert ends[1] == pytest.approx(float(wanted))
