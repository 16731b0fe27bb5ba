"""On the real log the teacher must know more than its ids' smoothed rates, or it has learnt nothing."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from autocompress.artefact.export import export
from autocompress.artefact.runtime import open_session, score
from autocompress.config.compose import compose
from autocompress.data.rows import read_rows
from autocompress.data.store import prepare
from autocompress.measure.quality import AUC

ROOT = Path(__file__).parents[2].parent / "shared" / "data" / "kuairand_pure"
IDS = (["user_id", "video_id"], ["user_id", "video_id", "tab"], ["user_id", "video_id", "author_id", "tab", "tag"])
SMOOTHING = (5, 10, 20, 50)

pytestmark = [
    pytest.mark.pipeline,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not ROOT.is_dir(), reason="kuairand_pure is not at ../shared/data"),
]


def rate_score(train: pl.DataFrame, test: pl.DataFrame, label: str, ids: list[str], weight: int) -> NDArray[np.float64]:
    """Return the sum of log-odds of smoothed training rates: no model, no interaction."""
    prior = train[label].sum() / train.height
    total = np.zeros(test.height)
    for name in ids:
        rate = (pl.col(label).sum() + weight * prior) / (pl.len() + weight)
        rates = train.group_by(name).agg(rate.alias("rate"))
        found = test.select(name).join(rates, on=name, how="left", maintain_order="left")["rate"].fill_null(prior)
        total += np.log(found.to_numpy() / (1.0 - found.to_numpy()))
    return total


def test_the_teacher_s_file_is_above_every_smoothed_id_rate_and_above_728(tmp_path: Path) -> None:
    (config,) = compose(["search=ads", "data=kuairand", f"data.root={ROOT}"])
    dataset = prepare(config.data, config.cleaning, tmp_path)
    teacher = config.teacher.ready(dataset, config.study.seed, tmp_path, None, AUC).weights
    export(teacher.model, dataset.schema, tmp_path / "model.onnx", tmp_path)
    scores = score(open_session(tmp_path / "model.onnx", threads=2), dataset.inputs("test"))
    train, test = (read_rows(config.data, dataset, split) for split in ("train", "test"))
    for index, task in enumerate(dataset.schema.tasks):
        found = roc_auc_score(test[task.label], scores[:, index])
        baseline = max(
            roc_auc_score(test[task.label], rate_score(train, test, task.label, ids, weight))
            for ids in IDS
            for weight in SMOOTHING
        )
        assert found > baseline + 0.003, f"{task.name}: {found:.4f} against {baseline:.4f}"
    assert roc_auc_score(test["is_click"], scores[:, 0]) >= 0.728
