"""Large tables as codes of a byte for every few numbers, and the pieces that they name, which go on training.

Jegou, Douze and Schmid, TPAMI 2011. The pieces of a place are the 256 means of the rows there, rows weighted by how
often they are read; codes stay what they are, pieces are trained.
"""

from __future__ import annotations

import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field as Limits
from threadpoolctl import threadpool_limits

from autocompress.compress.apart import store_apart, take_apart
from autocompress.compress.transform import Context, Record
from autocompress.models.product_codes import PIECES, ProductCodes
from autocompress.models.recommender import Recommender
from autocompress.schema import Frozen

ROUNDS, LEARNT_FROM = 40, 50_000
"""Of k-means, and rows at most that it looks at: the most frequent ones."""


class ProductQuantization(Frozen):
    """Tables of at least `least_rows` rows take a byte per `piece` numbers, or as nearly as whole bytes come to it."""

    kind: Literal["product_quantization"] = "product_quantization"
    follows: ClassVar[frozenset[str]] = frozenset(
        {"rows", "hashing", "fields", "dimensions", "channels", "low_rank", "weights", "codebook_dense"}
        | {"quantize_dense", "mixed_dense_bits"}
    )
    piece: float = Limits(4.0, ge=1.0, le=64.0)
    least_rows: int = Limits(10_000, ge=PIECES)

    def apply(self, model: Recommender, context: Context) -> Record:
        """Record: `tables`, those that become codes; codes and pieces are tensors of the model."""
        return take_apart(model, context, self.least_rows, self._made, _fit)

    def restore(self, model: Recommender, record: Record) -> None:
        """Switches the recorded tables to codes."""
        store_apart(model, record["tables"], self._made)

    def _made(self, rows: int, dim: int) -> ProductCodes:
        return ProductCodes(rows, dim, max(1, round(dim / self.piece)))

    def keeps(self) -> str | None:
        """Bits per number of the tables."""
        return f"{8 / self.piece:.3g} bits of large tables' numbers"

    def storage_bits(self) -> int | None:
        """Pieces are floats: what is chosen is how many share a code."""
        return None


def _fit(module: ProductCodes, table: torch.Tensor, counts: NDArray[np.int64]) -> None:
    """Codes and pieces near the rows (rows, d) that are read often; the same rows give the same ones.

    `ValueError` where there are fewer rows than `PIECES`.
    """
    rows = table.numpy()
    frequent = np.sort(np.argsort(-counts, kind="stable")[:LEARNT_FROM])
    weights = counts[frequent].astype(np.float64) + 1.0
    for each, book in zip(module.places, module.books, strict=True):
        starts = range(each.start, each.start + each.many * each.size, each.size)
        parts = [np.ascontiguousarray(rows[:, start : start + each.size]) for start in starts]
        # the limit of what numpy multiplies with is the process's: threads that set it would undo each other's
        with threadpool_limits(1, "blas"), ThreadPoolExecutor(torch.get_num_threads()) as pool:
            found = list(pool.map(lambda part: clusters(part, weights, frequent), parts))
        for place, (codes, means) in enumerate(found):
            module.codes[:, each.first + place] = torch.from_numpy(codes)
            book[place * PIECES : (place + 1) * PIECES] = torch.from_numpy(means)


def clusters(
    points: NDArray[np.float32], weights: NDArray[np.float64], learnt_from: NDArray[np.int64]
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """The nearest mean of each point (n, k), uint8 (n,), and the 256 means (256, k) of those it is learnt from."""
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    means = KMeans(PIECES, n_init=1, max_iter=ROUNDS, init="k-means++", random_state=0)
    # several threads add up their sums in the order in which they end
    with threadpool_limits(1, "openmp"), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer distinct points than pieces
        fitted = means.fit(points[learnt_from], None, weights)
    return fitted.predict(points).astype(np.uint8), fitted.cluster_centers_.astype(np.float32)
