"""Teachers beyond one model: what they teach, and what students start from."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from autocompress.artefact.export import export_mean
from autocompress.artefact.runtime import open_session, score
from autocompress.data.cleaning import Cleaning
from autocompress.data.sources.ads_simulator import AdsSimulator
from autocompress.data.store import Dataset, prepare
from autocompress.errors import UserError
from autocompress.measure.quality import AUC
from autocompress.training.fit import predict_logits
from autocompress.training.teachers import column
from autocompress.training.teachers.teacher import Ready, parse_teacher

SHAPE: dict[str, Any] = {"kind": "dcnv2", "embedding_dim": 4, "cross_layers": 1, "tower": [8]}
TRAINING: dict[str, Any] = {"epochs": 1, "batch_size": 512}
MEMBER = {"shape": SHAPE, "training": TRAINING}
OTHER = {"shape": {"kind": "deepfm", "embedding_dim": 4, "tower": [8]}, "training": TRAINING}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def dataset(cache: Path) -> Dataset:
    return prepare(AdsSimulator(rows=6_000), Cleaning(), cache)


def ready(teacher: dict[str, Any], dataset: Dataset, cache: Path) -> Ready:
    return parse_teacher(teacher).ready(dataset, 0, cache, None, AUC)


def test_an_ensembles_file_averages_its_members_logits(dataset: Dataset, cache: Path, tmp_path: Path) -> None:
    made = ready({"kind": "ensemble", "members": {"one": MEMBER, "two": OTHER}, "weights_from": "two"}, dataset, cache)
    export_mean(made.models, dataset.schema, tmp_path / "model.onnx", cache)
    inputs = dataset.inputs("test")
    mean = np.mean([predict_logits(model, inputs) for model in made.models], axis=0)
    np.testing.assert_allclose(score(open_session(tmp_path / "model.onnx"), inputs), 1 / (1 + np.exp(-mean)), atol=1e-5)
    assert made.weights.model is made.models[1]


def test_members_that_are_configured_alike_are_different_models(dataset: Dataset, cache: Path) -> None:
    made = ready({"kind": "ensemble", "members": {"a": MEMBER, "b": MEMBER}, "weights_from": "a"}, dataset, cache)
    assert not torch.equal(made.models[0].bank.tables[0], made.models[1].bank.tables[0])
    assert made.weights.digest == ready(MEMBER, dataset, cache).weights.digest


def test_weights_from_no_member_are_refused_with_the_nearest() -> None:
    with pytest.raises(UserError, match=r"weights_from.*did you mean 'one'"):
        parse_teacher({"kind": "ensemble", "members": {"one": MEMBER, "two": OTHER}, "weights_from": "onee"})


def test_a_checkpoint_is_the_model_that_was_saved(dataset: Dataset, cache: Path, tmp_path: Path) -> None:
    trained = ready(MEMBER, dataset, cache).weights
    shutil.copytree(cache / "models" / trained.digest, tmp_path / "saved")
    again = ready({"kind": "checkpoint", "path": tmp_path / "saved"}, dataset, cache).weights
    assert again.digest == trained.digest
    inputs = dataset.inputs("test")
    np.testing.assert_array_equal(predict_logits(again.model, inputs), predict_logits(trained.model, inputs))


def test_a_checkpoint_of_other_data_or_of_nothing_is_refused(dataset: Dataset, cache: Path, tmp_path: Path) -> None:
    trained = ready(MEMBER, dataset, cache).weights
    saved = {"kind": "checkpoint", "path": cache / "models" / trained.digest}
    other = prepare(AdsSimulator(rows=6_000, seed=2), Cleaning(), cache)
    with pytest.raises(UserError, match="trained on other data"):
        ready(saved, other, cache)
    with pytest.raises(UserError, match="holds no trained model"):
        _ = parse_teacher({"kind": "checkpoint", "path": tmp_path}).shape


def test_a_log_without_scores_has_no_column_to_teach(dataset: Dataset, cache: Path) -> None:
    with pytest.raises(UserError, match=r"data\.score"):
        ready({"kind": "column", **MEMBER}, dataset, cache)


def test_scores_teach_the_first_task_and_labels_the_rest() -> None:
    scores = np.array([0.9, np.nan, 0.5, 1.0], dtype=np.float32)
    labels = np.array([[0, 1], [1, 0], [1, 1], [1, 0]], dtype=np.uint8)
    taught = 1 / (1 + np.exp(-column.logits(scores, labels)))
    np.testing.assert_allclose(taught[:, 0], [0.9, 1.0, 0.5, 1.0], atol=2e-4)
    np.testing.assert_allclose(taught[:, 1], labels[:, 1], atol=2e-4)
    assert np.isfinite(column.logits(scores, labels)).all()


class Narrow(nn.Module):
    """A user's module that forgets a task."""

    def __init__(self, width: int, tasks: int) -> None:
        super().__init__()
        self.out = nn.Linear(width, tasks - 1)

    def forward(self, first: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.out(first)
        return logits


@pytest.mark.parametrize(
    ("target", "arguments", "said"),
    [
        ("tests.no_such_file.Tower", {}, "cannot be imported"),
        ("tests.training.test_teachers.Tower", {}, "cannot be imported"),
        ("tests.training.test_teachers.ready", {}, r"no class of torch\.nn\.Module"),
        ("tests.training.test_teachers.Narrow", {}, "a logit per task"),
        ("tests.training.test_teachers.Narrow", {"depth": 2}, "depth"),
    ],
)
def test_a_module_that_is_none_is_refused_by_name(
    target: str, arguments: dict[str, Any], said: str, dataset: Dataset, cache: Path
) -> None:
    with pytest.raises(UserError, match=said) as refused:
        ready({"kind": "module", "target": target, "arguments": arguments, "training": TRAINING}, dataset, cache)
    assert f"teacher.target={target}" in str(refused.value)
