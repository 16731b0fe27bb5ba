"""One training epoch of the same DCNv2 over the same rows by one of four sides, in a process of its own.

    python sides.py SIDE ROWS FOLDER      # prints rows/s, seconds, peak memory and test AUC as JSON

Compilation is a cost per training, not per row: it is timed apart.

Embeddings of 16, three full-rank cross layers beside a tower of 400, 400, 400, batches of 4,096, two threads.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from make import dataset
from numpy.typing import NDArray

from autocompress.data.store import Dataset
from autocompress.measure.bootstrap import auc
from autocompress.measure.memory import peak_bytes

FAST = "autocompress bf16, compiled"
BATCH, DIM, CROSS, TOWER, SEED = 4096, 16, 3, (400, 400, 400), 0
Scores = NDArray[np.float32]


def autocompress(data: Dataset, fast: bool) -> tuple[float, Scores]:
    """Seconds of an epoch and scores of the test rows; `fast`: bf16 and a dense part that is compiled already."""
    from autocompress.compress.plan import Recovery
    from autocompress.models.dcnv2 import DCNv2Shape
    from autocompress.models.recommender import build
    from autocompress.training.arithmetic import Arithmetic, fastest
    from autocompress.training.fit import FRESH, fit, predict_logits

    torch.manual_seed(SEED)
    shape = DCNv2Shape(embedding_dim=DIM, cross_layers=CROSS, cross_rank=None, tower=TOWER)
    model = build(shape, data.schema, data.encoder.rows)
    recovery = Recovery(epochs=1, batch_size=BATCH, learning_rate=1e-3, embedding_learning_rate=0.06)
    started = time.perf_counter()
    fit(
        model,
        data,
        recovery,
        taught=None,
        seed=SEED,
        accumulator=FRESH,
        arithmetic=Arithmetic("bf16-mixed") if fast else fastest(data.folder.parent.parent).exact,
        compiled=fast,
    )
    seconds = time.perf_counter() - started
    return seconds, predict_logits(model, data.inputs("test"))[:, 0]


def torch_rechub(data: Dataset) -> tuple[float, Scores]:
    """Its own trainer and loader."""
    from torch_rechub.basic.features import SparseFeature
    from torch_rechub.models.ranking import DCNv2
    from torch_rechub.trainers import CTRTrainer
    from torch_rechub.utils.data import DataGenerator

    torch.manual_seed(SEED)
    names, sizes = data.schema.field_names, data.encoder.rows
    features = [SparseFeature(name, vocab_size=size, embed_dim=DIM) for name, size in zip(names, sizes, strict=True)]
    mlp = {"dims": list(TOWER), "dropout": 0.0, "activation": "relu"}
    model = DCNv2(features, n_cross_layers=CROSS, mlp_params=mlp, use_low_rank_mixture=False)
    x = {name: np.asarray(data.ids("train")[:, index]) for index, name in enumerate(names)}
    generator = DataGenerator(x, np.asarray(data.labels("train")[:, 0], dtype=np.float32))
    loader, _, _ = generator.generate_dataloader(split_ratio=[1.0, 0.0], batch_size=BATCH)
    trainer = CTRTrainer(model, optimizer_params={"lr": 1e-3, "weight_decay": 0.0}, n_epoch=1)
    started = time.perf_counter()
    trainer.train_one_epoch(loader)
    seconds = time.perf_counter() - started
    model.eval()
    return seconds, _in_batches(data, lambda ids: model({n: ids[:, i] for i, n in enumerate(names)}))


def deepctr_torch(data: Dataset) -> tuple[float, Scores]:
    """Its own `fit`, without the linear part that it would add."""
    from deepctr_torch.inputs import SparseFeat
    from deepctr_torch.models import DCN

    names, sizes = data.schema.field_names, data.encoder.rows
    columns = [SparseFeat(name, size, embedding_dim=DIM) for name, size in zip(names, sizes, strict=True)]
    model = DCN(
        [],
        columns,
        cross_num=CROSS,
        cross_parameterization="matrix",
        dnn_hidden_units=TOWER,
        l2_reg_linear=0,
        l2_reg_embedding=0,
        l2_reg_cross=0,
        seed=SEED,
    )
    model.compile("adam", "binary_crossentropy")
    x = {name: np.asarray(data.ids("train")[:, index]) for index, name in enumerate(names)}
    labels = np.asarray(data.labels("train")[:, 0], dtype=np.float32)
    started = time.perf_counter()
    model.fit(x, labels, batch_size=BATCH, epochs=1, verbose=0)
    seconds = time.perf_counter() - started
    model.eval()
    return seconds, _in_batches(data, lambda ids: model(ids.float())[:, 0])


SIDES: dict[str, Callable[[Dataset], tuple[float, Scores]]] = {
    "autocompress fp32": lambda data: autocompress(data, False),
    FAST: lambda data: autocompress(data, True),
    "torch-rechub": torch_rechub,
    "deepctr-torch": deepctr_torch,
}


@torch.no_grad()
def _in_batches(data: Dataset, score: Callable[[torch.Tensor], Any]) -> Scores:
    ids = torch.from_numpy(np.asarray(data.ids("test")).astype(np.int64))
    return np.concatenate([np.asarray(score(part)) for part in ids.split(BATCH)]).astype(np.float32)


def main(side: str, number: str, folder: str) -> None:
    """Trains and prints."""
    data = dataset(int(number), Path(folder))
    first, scores = SIDES[side](data)
    # what was compiled in the first epoch serves the second
    seconds, scores = SIDES[side](data) if side == FAST else (first, scores)
    found = {
        "seconds": seconds,
        "compile_seconds": first - seconds,
        "rows_per_second": data.rows["train"] / seconds,
        "peak_gb": peak_bytes() / 1e9,
        "test_auc": float(auc(scores, data.labels("test")[:, 0])),
        "embedding_rows": sum(data.encoder.rows),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
