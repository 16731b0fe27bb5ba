"""Does SASRec find the next item of Amazon Beauty better than popularity and item-kNN do?

    python experiments/next_item/run.py      # about 6 minutes on two cores; resumes by model

The last item of each user is the test, the one before it validation; NDCG@10 and recall@10 over all 12,101 items, those
that the user took before left out, whole users resampled for the intervals. Popularity counts training pairs. Item-kNN
adds up, over a user's items, the cosine of the item's users (Sarwar et al., WWW 2001). Read from
../shared/data/sequences (or DATA). Stored: `results.json`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from autocompress.config.compose import compose
from autocompress.data.inputs import Inputs
from autocompress.data.store import Dataset, prepare
from autocompress.measure.bootstrap import interval, weights
from autocompress.measure.catalogue import ITEM, USER, Catalogue, catalogue_of
from autocompress.measure.machine import machine
from autocompress.storage import write_json
from autocompress.training.fit import predict_outputs

HERE = Path(__file__).resolve().parent
STORED = HERE / "results.json"
DATA = Path(os.environ.get("DATA", HERE.parents[2] / "shared" / "data")) / "sequences"
OVERRIDES = [
    "search=personalized", "data=amazon_sequences", f"data.root={DATA}", "data.negatives.each=1",
    "teacher.shape.embedding_dim=64", "teacher.training.epochs=8", "teacher.training.patience=3",
]  # fmt: skip
Run = Callable[[Inputs], dict[str, NDArray[np.float32]]]


def popularity(dataset: Dataset, catalogue: Catalogue) -> Run:
    """Everyone's vector is 1, an item's its training pairs."""
    counts = pairs(dataset).sum(axis=0)

    def run(inputs: Inputs) -> dict[str, NDArray[np.float32]]:
        item = np.asarray(counts).ravel()[inputs.ids[:, 1]].astype(np.float32)
        return {USER: np.ones((len(inputs), 1), dtype=np.float32), ITEM: item[:, None]}

    return run


def item_knn(dataset: Dataset, catalogue: Catalogue) -> Run:
    """A user's vector are the users' shares of what the user took; an item's are its users: cosines, added up."""
    taken = pairs(dataset)
    norms = np.sqrt(np.maximum(np.asarray(taken.sum(axis=0)).ravel(), 1.0))
    unit = csr_matrix(taken.multiply(1.0 / norms[None, :]))
    similar = (unit.T @ unit).tocsr()
    similar.setdiag(0.0)
    mine = (taken @ similar).astype(np.float32)

    def run(inputs: Inputs) -> dict[str, NDArray[np.float32]]:
        return {
            USER: np.asarray(mine[inputs.ids[:, 0]].todense(), dtype=np.float32),
            ITEM: np.eye(taken.shape[1], dtype=np.float32)[inputs.ids[:, 1]],
        }

    return run


def pairs(dataset: Dataset) -> csr_matrix:
    """Training pairs and validation pairs, users x items in their ids: what is known when the test begins."""
    users, items = [], []
    for split in ("train", "valid"):
        there = dataset.labels("train" if split == "train" else "valid")[:, 0] == 1
        ids = dataset.ids("train" if split == "train" else "valid")[there]
        users.append(ids[:, 0])
        items.append(ids[:, 1])
    user, item = np.concatenate(users), np.concatenate(items)
    shape = (dataset.encoder.rows[0], dataset.encoder.rows[1])
    found = csr_matrix((np.ones(len(user), dtype=np.float64), (user, item)), shape=shape)
    found.data[:] = 1.0
    return found


def measured(catalogue: Catalogue, run: Run) -> dict[str, Any]:
    """Means over users with 95 % intervals."""
    drawn = weights(len(catalogue.users), seed=5)
    return {
        name: {"mean": float(each.mean()[0]), "ci95": list(interval(each.mean(drawn)))}
        for name, each in catalogue.values(run).items()
    }


def main() -> None:
    """Runs what is not stored yet."""
    (config,) = compose(OVERRIDES)
    cache = config.cache.expanduser()
    dataset = prepare(config.data, config.cleaning, cache)
    catalogue = catalogue_of(dataset, "test", "item")
    stored: dict[str, Any] = json.loads(STORED.read_text()) if STORED.exists() else {"machine": machine(), "models": {}}
    stored |= {"users": len(catalogue.users), "items": len(catalogue.items)}
    for name, baseline in (("popularity", popularity), ("item_knn", item_knn)):
        if name not in stored["models"]:
            stored["models"][name] = measured(catalogue, baseline(dataset, catalogue))
            write_json(STORED, stored)
            print(name, stored["models"][name], flush=True)
    if "sasrec" not in stored["models"]:
        ready = config.teacher.ready(
            dataset,
            0,
            cache,
            lambda e, of, loss, value: print(e + 1, of, f"{loss:.4f} {value:.4f}", flush=True),
            config.goal,
        )
        found = measured(catalogue, lambda inputs: predict_outputs(ready.weights.model, inputs))
        epochs = len(ready.weights.history)
        stored["models"]["sasrec"] = {**found, "epochs": epochs, "seconds": ready.weights.seconds}
        write_json(STORED, stored)
    print(json.dumps(stored["models"], indent=1))


if __name__ == "__main__":
    main()
