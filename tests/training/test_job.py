"""One training: the folder it fills, and that several processes train the model that one would."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.torch import load_file

from autocompress.data.cleaning import Cleaning
from autocompress.data.sources.ads_simulator import AdsSimulator
from autocompress.data.store import Dataset, prepare
from autocompress.errors import UserError
from autocompress.measure.quality import AUC
from autocompress.training.arithmetic import Arithmetic
from autocompress.training.fit import predict_logits
from autocompress.training.job import FACTS, TENSORS, Job, run
from autocompress.training.teachers.from_scratch import FromScratch

SHAPE: dict[str, Any] = {"kind": "dcnv2", "embedding_dim": 4, "cross_layers": 1, "tower": [8]}
Epochs = list[tuple[int, int, float, float]]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return prepare(AdsSimulator(rows=4_000), Cleaning(), tmp_path_factory.mktemp("cache"))


def job(dataset: Dataset, **training: Any) -> Job:
    settings = {"epochs": 2, "batch_size": 256, **training}
    return Job(FromScratch.model_validate({"shape": SHAPE, "training": settings}), dataset, 0, AUC, Arithmetic())


def trained(job: Job, folder: Path) -> tuple[Any, Epochs]:
    """Logits of the test rows, and what was called after each epoch."""
    folder.mkdir()
    epochs: Epochs = []
    run(job, folder, lambda *epoch: epochs.append(epoch))
    model = job.untrained()
    model.load_state_dict(load_file(folder / TENSORS))
    return predict_logits(model, job.dataset.inputs("test")), epochs


@pytest.mark.timeout(120)
@pytest.mark.pipeline
def test_two_processes_train_the_model_that_one_does(dataset: Dataset, tmp_path: Path) -> None:
    one, epochs_of_one = trained(job(dataset), tmp_path / "one")
    two, epochs_of_two = trained(job(dataset, devices=2), tmp_path / "two")
    untrained = predict_logits(job(dataset).untrained(), dataset.inputs("test"))
    assert np.abs(one - untrained).max() > 0.5
    np.testing.assert_allclose(two, one, atol=2e-3)
    assert [epoch[:2] for epoch in epochs_of_two] == [(0, 2), (1, 2)]
    assert [epoch[3] for epoch in epochs_of_two] == pytest.approx([epoch[3] for epoch in epochs_of_one], abs=1e-3)


@pytest.mark.timeout(120)
@pytest.mark.pipeline
def test_two_processes_pay_l2_on_embeddings_as_one_does(dataset: Dataset, tmp_path: Path) -> None:
    without, _ = trained(job(dataset), tmp_path / "without")
    one, _ = trained(job(dataset, embedding_l2=0.03), tmp_path / "one")
    two, _ = trained(job(dataset, embedding_l2=0.03, devices=2), tmp_path / "two")
    assert np.abs(one - without).max() > 0.05
    np.testing.assert_allclose(two, one, atol=2e-3)


@pytest.mark.timeout(60)
@pytest.mark.pipeline
def test_what_cannot_be_trained_is_refused_in_one_line_from_several_processes_too(
    dataset: Dataset, tmp_path: Path
) -> None:
    refused = job(dataset, devices=2, objective={"in_batch_weight": 1.0})
    with pytest.raises(UserError, match=r"^in_batch_weight: only a model with vectors of users and items"):
        run(refused, tmp_path, None)


def test_the_epoch_that_is_best_on_validation_is_kept(dataset: Dataset, tmp_path: Path) -> None:
    # steps this large ruin what the first epoch has learnt
    _, epochs = trained(job(dataset, epochs=4, patience=3, learning_rate=0.3), tmp_path / "job")
    facts = json.loads((tmp_path / "job" / FACTS).read_text())
    values = [epoch["valid_quality"] for epoch in facts["history"]]
    assert [epoch[3] for epoch in epochs] == values
    kept = job(dataset).untrained()
    kept.load_state_dict(load_file(tmp_path / "job" / TENSORS))
    from autocompress.measure.sample import sample_of

    sample = sample_of(dataset, "valid", 100_000, AUC)
    found = float(np.mean(sample.values(lambda inputs: {"scores": predict_logits(kept, inputs)})))
    assert found == pytest.approx(max(values), abs=1e-6)


def test_patience_ends_a_training_that_gets_worse(dataset: Dataset, tmp_path: Path) -> None:
    _, epochs = trained(job(dataset, epochs=20, patience=1, learning_rate=0.5), tmp_path / "job")
    assert len(epochs) < 20
