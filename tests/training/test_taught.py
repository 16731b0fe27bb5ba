"""What a teacher says of the training rows: computed once, and never taken for another's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from autocompress.artefact.export import export
from autocompress.data.cleaning import Cleaning
from autocompress.data.sources.ads_simulator import AdsSimulator
from autocompress.data.store import Dataset, prepare
from autocompress.errors import UserError
from autocompress.models.dcnv2 import DCNv2Shape
from autocompress.models.recommender import Recommender, build, tensors
from autocompress.models.two_tower import TwoTowerShape
from autocompress.training.features import width_of, with_features
from autocompress.training.taught import Taught, features_of_model, logits_of_file, logits_of_model

ROWS = 1_000
SHAPE = DCNv2Shape(embedding_dim=4, cross_layers=1, cross_rank=4, tower=(8,))


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return prepare(AdsSimulator(rows=4_000), Cleaning(), tmp_path_factory.mktemp("cache"))


def model_of(dataset: Dataset, seed: int = 0) -> Recommender:
    torch.manual_seed(seed)
    model = build(SHAPE, dataset.schema, dataset.encoder.rows)
    with torch.no_grad():
        for table in model.bank.tables:
            table.normal_()
    return model.eval()


def test_a_file_and_its_model_say_the_same(dataset: Dataset, tmp_path: Path) -> None:
    model = model_of(dataset)
    export(model, dataset.schema, tmp_path / "model.onnx", tmp_path)
    of_file = logits_of_file(tmp_path / "model.onnx", dataset, ROWS, 1, tmp_path)
    of_model = logits_of_model(model, "a", dataset, ROWS, tmp_path)
    np.testing.assert_allclose(of_file, of_model, atol=1e-3)
    with torch.no_grad():
        last = model(*tensors(dataset.inputs("train")[-1:])).numpy()
    np.testing.assert_allclose(of_model[-1:], last, atol=1e-5)


def test_what_was_said_is_read_again_and_not_computed(dataset: Dataset, tmp_path: Path) -> None:
    first = logits_of_model(model_of(dataset), "a", dataset, ROWS, tmp_path)
    again = logits_of_model(model_of(dataset, seed=1), "a", dataset, ROWS, tmp_path)
    np.testing.assert_array_equal(first, again)
    assert isinstance(again, np.memmap)


def test_a_changed_teacher_or_other_rows_never_meet_what_another_said(dataset: Dataset, tmp_path: Path) -> None:
    said: list[NDArray[np.float32]] = []
    for seed in (0, 1):
        export(model_of(dataset, seed), dataset.schema, tmp_path / "model.onnx", tmp_path)
        said.append(logits_of_file(tmp_path / "model.onnx", dataset, ROWS, 1, tmp_path))
    assert np.abs(said[0] - said[1]).max() > 0.01
    assert len(logits_of_file(tmp_path / "model.onnx", dataset, ROWS // 2, 1, tmp_path)) == ROWS // 2
    features = [features_of_model(model_of(dataset, seed), str(seed), dataset, ROWS, tmp_path) for seed in (0, 1)]
    assert np.abs(features[0] - features[1]).max() > 0.01


@pytest.mark.parametrize("broken", [b"", b"short", None])
def test_a_file_that_was_cut_short_is_refused_and_made_again(
    broken: bytes | None, dataset: Dataset, tmp_path: Path
) -> None:
    whole = np.array(logits_of_model(model_of(dataset), "a", dataset, ROWS, tmp_path))
    (path,) = (tmp_path / "logits").glob("*.npy")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2] if broken is None else broken)
    np.testing.assert_array_equal(logits_of_model(model_of(dataset), "a", dataset, ROWS, tmp_path), whole)


def test_features_are_what_the_head_reads_in_half_precision(dataset: Dataset, tmp_path: Path) -> None:
    model = model_of(dataset)
    found = features_of_model(model, "a", dataset, ROWS, tmp_path)
    head = model.dense.get_submodule("head")
    assert found.dtype == np.float16
    assert found.shape == (ROWS, width_of(model.dense, model.bank.layout.width))
    with torch.no_grad():
        logits = head(torch.from_numpy(found[-50:].astype(np.float32)))
        wanted = model(*tensors(dataset.inputs("train")[-50:]))
    torch.testing.assert_close(logits, wanted, rtol=1e-2, atol=1e-2)


def test_features_of_two_towers_are_both_vectors(dataset: Dataset) -> None:
    shape = TwoTowerShape(item_fields=("ad_id",), embedding_dim=4, output=6)
    model = build(shape, dataset.schema, dataset.encoder.rows).eval()
    logits, features = with_features(model.dense, model.bank(*tensors(dataset.inputs("train")[:20])))
    assert features.shape == (20, 12)
    user, item = features.chunk(2, dim=1)
    rest = logits[:, 0] - (user * item).sum(dim=1)
    torch.testing.assert_close(rest, rest[0].expand(20), rtol=1e-3, atol=1e-4)


def test_a_module_without_a_head_is_refused_by_what_to_set() -> None:
    with pytest.raises(UserError, match="called `head`: set feature_weight, relational_weight"):
        with_features(torch.nn.Sequential(torch.nn.Linear(3, 2)), torch.zeros(1, 3))


def test_more_rows_than_were_taught_are_refused() -> None:
    with pytest.raises(ValueError, match="cover 3 rows, 4 are asked for"):
        Taught(np.zeros((3, 1), dtype=np.float32)).latest(4)
