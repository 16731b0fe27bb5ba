"""In-batch negatives: every model with vectors of users and items learns to find the next item by them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from autocompress.compress.plan import Objective, Recovery
from autocompress.data.cleaning import Cleaning
from autocompress.data.negatives import Negatives
from autocompress.data.sources.session_simulator import SessionSimulator
from autocompress.data.store import Dataset, prepare
from autocompress.errors import UserError
from autocompress.measure.catalogue import catalogue_of
from autocompress.models.recommender import build
from autocompress.models.shape import parse_shape
from autocompress.training.fit import FRESH, fit, predict_outputs
from autocompress.training.in_batch import in_batch_loss


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    source = SessionSimulator(users=300, items=200, history=8, negatives=Negatives(each=1))
    return prepare(source, Cleaning(), tmp_path_factory.mktemp("cache"))


def trained(kind: str, dataset: Dataset, weight: float) -> float:
    torch.manual_seed(0)
    shape = parse_shape({"kind": kind, "embedding_dim": 8})
    model = build(shape, dataset.schema, dataset.encoder.rows)
    objective = Objective(in_batch_weight=weight)
    recovery = Recovery(epochs=2, batch_size=256, embedding_learning_rate=0.1, learning_rate=3e-3, objective=objective)
    fit(model, dataset, recovery, taught=None, seed=0, accumulator=FRESH)
    values = catalogue_of(dataset, "valid", "item").values(lambda inputs: predict_outputs(model, inputs))
    return float(values["catalogue_recall@10"].mean()[0])


@pytest.mark.parametrize("kind", ["sasrec", "two_tower"])
def test_the_softmax_over_a_batch_finds_more_next_items_than_labels_alone(kind: str, dataset: Dataset) -> None:
    assert trained(kind, dataset, 1.0) > 1.2 * trained(kind, dataset, 0.0)


def test_the_loss_is_the_softmax_over_the_items_of_the_positive_pairs() -> None:
    draw = torch.Generator().manual_seed(0)
    user, item = torch.randn(6, 3, generator=draw), torch.randn(6, 3, generator=draw)
    labels, items = torch.tensor([[1.0], [0.0], [1.0], [1.0], [0.0], [1.0]]), torch.tensor([0, 9, 1, 2, 9, 3])
    log_q = torch.log(torch.full((10,), 0.1))
    there = [0, 2, 3, 5]
    slow = []
    for row in there:
        scores = np.array([float(user[row] @ item[column]) for column in there])
        slow.append(np.log(np.exp(scores).sum()) - scores[there.index(row)])
    assert float(in_batch_loss(user, item, items, labels, log_q)) == pytest.approx(float(np.mean(slow)), rel=1e-5)


def test_a_batch_with_one_pair_has_nothing_to_tell_it_from() -> None:
    one = torch.ones(3, 2, requires_grad=True)
    loss = in_batch_loss(one, one, torch.arange(3), torch.tensor([[1.0], [0.0], [0.0]]), torch.zeros(3))
    assert loss.item() == 0.0


def test_models_without_vectors_are_refused(dataset: Dataset) -> None:
    with pytest.raises(UserError, match="in_batch_weight: only a model with vectors of users and items"):
        trained("dcnv2", dataset, 1.0)
