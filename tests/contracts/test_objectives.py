"""The loss that training minimises."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from autocompress.compress.plan import Objective
from autocompress.errors import UserError
from autocompress.training.objective import task_losses, temperatures
from autocompress.training.task_weights import Uncertainty, fixed

TASKS = ("click", "buy")


def loss(
    logits: torch.Tensor,
    labels: torch.Tensor,
    soft: torch.Tensor | None,
    objective: Objective,
    weights: torch.Tensor | None = None,
) -> torch.Tensor:
    """What is minimised where every task counts once."""
    at = temperatures(objective.temperature, TASKS)
    return task_losses(logits, labels, soft, objective.distillation_weight, at, weights).sum()


def rows(count: int = 256, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Logits, labels and a teacher's logits of two tasks."""
    draw = torch.Generator().manual_seed(seed)
    logits, soft = torch.randn(count, 2, generator=draw), 2 * torch.randn(count, 2, generator=draw)
    return logits, (torch.rand(count, 2, generator=draw) < 0.3).float(), soft


def gradient(logits: torch.Tensor, labels: torch.Tensor, soft: torch.Tensor, objective: Objective) -> torch.Tensor:
    leaf = logits.clone().requires_grad_()
    (found,) = torch.autograd.grad(loss(leaf, labels, soft, objective), leaf)
    return found


def test_labels_alone_count_the_sum_over_tasks_of_the_mean_over_rows() -> None:
    logits, labels, _ = rows()
    per_task = [binary_cross_entropy_with_logits(logits[:, task], labels[:, task]) for task in range(2)]
    torch.testing.assert_close(loss(logits, labels, None, Objective()), sum(per_task, torch.zeros(())))


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_a_weight_of_zero_is_labels_alone_whatever_the_teacher_says(temperature: float) -> None:
    logits, labels, soft = rows()
    alone = loss(logits, labels, None, Objective())
    objective = Objective(distillation_weight=0.0, temperature=temperature)
    assert loss(logits, labels, soft, objective) == alone
    assert loss(logits, labels, soft * float("nan"), objective) == alone


def test_without_a_teacher_the_weight_does_not_count() -> None:
    logits, labels, _ = rows()
    assert loss(logits, labels, None, Objective(distillation_weight=0.9)) == loss(logits, labels, None, Objective())


def test_a_weight_of_one_does_not_see_labels() -> None:
    logits, labels, soft = rows()
    objective = Objective(distillation_weight=1.0, temperature=2.0)
    assert loss(logits, labels, soft, objective) == loss(logits, 1 - labels, soft, objective)


def test_weights_between_mix_both_in_proportion() -> None:
    logits, labels, soft = rows()
    ends = [loss(logits, labels, soft, Objective(distillation_weight=w, temperature=3.0)) for w in (0.0, 1.0)]
    mixed = loss(logits, labels, soft, Objective(distillation_weight=0.3, temperature=3.0))
    torch.testing.assert_close(mixed, 0.7 * ends[0] + 0.3 * ends[1])


@pytest.mark.parametrize("temperature", [1.0, 2.0, 5.0])
def test_the_distilled_part_is_scaled_by_the_temperature_squared(temperature: float) -> None:
    logits, labels, soft = rows()
    found = loss(logits, labels, soft, Objective(distillation_weight=1.0, temperature=temperature))
    plain = binary_cross_entropy_with_logits(logits / temperature, torch.sigmoid(soft / temperature)) * 2
    torch.testing.assert_close(found, temperature**2 * plain)


def test_the_size_of_the_gradient_stays_when_the_temperature_rises() -> None:
    logits, labels, soft = rows()
    sizes = [
        float(gradient(logits, labels, soft, Objective(distillation_weight=1.0, temperature=t)).norm())
        for t in (5.0, 10.0, 20.0)
    ]
    assert max(sizes) / min(sizes) < 1.1


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_a_step_against_the_gradient_brings_every_logit_nearer_to_the_teachers(temperature: float) -> None:
    logits, labels, soft = rows()
    found = gradient(logits, labels, soft, Objective(distillation_weight=1.0, temperature=temperature))
    assert torch.equal(found.sign(), (logits - soft).sign())


def test_the_teachers_own_logits_are_the_minimum() -> None:
    logits, labels, soft = rows()
    objective = Objective(distillation_weight=1.0, temperature=2.0)
    assert gradient(soft, labels, soft, objective).abs().max() < 1e-8
    assert loss(soft, labels, soft, objective) < loss(logits, labels, soft, objective)


def test_each_task_has_its_own_temperature_and_one_that_is_not_named_has_1() -> None:
    logits, labels, soft = rows()
    both = task_losses(logits, labels, soft, 1.0, temperatures({"buy": 4.0}, TASKS))
    for task, temperature in enumerate((1.0, 4.0)):
        objective = Objective(distillation_weight=1.0, temperature=temperature)
        alone = task_losses(logits, labels, soft, 1.0, temperatures(objective.temperature, TASKS))
        assert both[task] == alone[task]


def test_a_temperature_of_no_task_is_named_with_the_nearest() -> None:
    with pytest.raises(UserError, match=r"temperature names 'bui': no task; allowed: buy, click \(did you mean 'buy'"):
        temperatures({"bui": 2.0}, TASKS)


@pytest.mark.parametrize("weight", [0.0, 0.4, 1.0])
def test_a_row_of_weight_2_counts_as_two_rows_and_one_of_weight_0_not_at_all(weight: float) -> None:
    logits, labels, soft = rows(4)
    objective = Objective(distillation_weight=weight, temperature=2.0)
    weighted = loss(logits, labels, soft, objective, torch.tensor([2.0, 1.0, 0.0, 1.0]))
    take = [0, 0, 1, 3]
    torch.testing.assert_close(weighted, loss(logits[take], labels[take], soft[take], objective))


@pytest.mark.parametrize("weights", [None, torch.tensor([2.0, 0.5])])
def test_rows_without_labels_are_taught_by_the_teacher_alone(weights: torch.Tensor | None) -> None:
    logits, labels, soft = rows(5)
    both = task_losses(logits, labels[:2], soft, 0.4, torch.full((2,), 2.0), weights)
    hard = task_losses(logits[:2], labels[:2], None, 0.0, torch.ones(2), weights)
    each = torch.ones(5) if weights is None else torch.cat([weights, torch.ones(3)])
    taught = task_losses(logits, labels, soft, 1.0, torch.full((2,), 2.0), each)
    torch.testing.assert_close(both, 0.6 * hard + 0.4 * taught)


def test_a_task_of_weight_0_does_not_count_and_one_that_is_not_named_counts_once() -> None:
    logits, labels, _ = rows()
    losses = task_losses(logits, labels, None, 0.0, torch.ones(2))
    assert losses @ fixed({"click": 0.0}, ["click", "buy"]) == losses[1]


def test_a_weight_of_no_task_is_named_with_the_nearest() -> None:
    with pytest.raises(UserError, match=r"task_weights.clik: no task; allowed: buy, click \(did you mean 'click'\?\)"):
        fixed({"clik": 2.0}, ["click", "buy"])


def test_learnt_weights_end_where_each_task_s_is_the_inverse_of_twice_its_loss() -> None:
    losses, uncertainty = torch.tensor([0.1, 0.6]), Uncertainty(2)
    optimizer = torch.optim.SGD(uncertainty.parameters(), lr=0.5)
    for _ in range(500):
        optimizer.zero_grad()
        torch.autograd.backward(uncertainty(losses))
        optimizer.step()
    torch.testing.assert_close(torch.exp(-uncertainty.log_variance), 1 / (2 * losses), rtol=1e-3, atol=1e-3)
