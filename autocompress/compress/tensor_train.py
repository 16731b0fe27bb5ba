"""Large tables as trains of three small cores, from an SVD of one unfolding after the other.

Oseledets, SIAM J. Sci. Comput. 2011; for embeddings Yin et al., "TT-Rec", MLSys 2021.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field as Limits

from autocompress.compress.apart import store_apart, take_apart
from autocompress.compress.transform import Context, Record
from autocompress.models.recommender import Recommender
from autocompress.models.tensor_train import TensorTrain
from autocompress.schema import Frozen


class TensorTrainTables(Frozen):
    """Tables of at least `least_rows` rows become trains of `rank`."""

    kind: Literal["tensor_train"] = "tensor_train"
    follows: ClassVar[frozenset[str]] = frozenset(
        {"rows", "hashing", "fields", "dimensions", "channels", "low_rank", "weights", "codebook_dense"}
        | {"quantize_dense", "mixed_dense_bits"}
    )
    rank: int = Limits(ge=1, le=256)
    least_rows: int = Limits(1_000, ge=8)

    def apply(self, model: Recommender, context: Context) -> Record:
        """Record: `tables`, those that become trains; the cores are tensors of the model."""
        return take_apart(model, context, self.least_rows, self._made, _fit)

    def restore(self, model: Recommender, record: Record) -> None:
        """Switches the recorded tables to trains."""
        store_apart(model, record["tables"], self._made)

    def _made(self, rows: int, dim: int) -> TensorTrain:
        return TensorTrain(rows, dim, self.rank)

    def keeps(self) -> str | None:
        """The rank."""
        return f"tensor trains of rank {self.rank}"

    def storage_bits(self) -> int | None:
        """fp16 is how they are stored, not what is chosen."""
        return None


def _fit(module: TensorTrain, rows: torch.Tensor, counts: NDArray[np.int64]) -> None:
    """Rows that are never read count as their mean: what nothing asks for should cost no rank."""
    reads = torch.from_numpy(counts).float()
    (n1, n2, n3), (d1, d2, d3) = module.radices, module.factors
    mean = (reads[:, None] * rows).sum(0) / reads.sum().clamp_min(1.0)
    whole = mean.repeat(n1 * n2 * n3, 1)
    whole[: len(rows)] = torch.where(reads[:, None] > 0, rows, mean)
    # (i, a) first, then (j, b), then (k, c)
    unfolded = whole.view(n1, n2, n3, d1, d2, d3).permute(0, 3, 1, 4, 2, 5).reshape(n1 * d1, -1)
    left, right = _split(unfolded, module.rank)
    middle, last = _split(right.reshape(module.rank * n2 * d2, n3 * d3), module.rank)
    module.first.copy_(left.view(n1, d1 * module.rank))
    cores = middle.view(module.rank, n2, d2, module.rank).transpose(0, 1)
    module.second.copy_(cores.reshape(n2, -1))
    module.third.copy_(last.view(module.rank, n3, d3).transpose(0, 1).reshape(n3, -1))


def _split(matrix: torch.Tensor, rank: int) -> tuple[torch.Tensor, torch.Tensor]:
    """(m, rank) and (rank, n) of about one size whose product is nearest to `matrix`; zeros past its own rank."""
    left, scale, right = torch.linalg.svd(matrix, full_matrices=False)
    root = scale[:rank].sqrt()
    thin, wide = matrix.new_zeros(len(matrix), rank), matrix.new_zeros(rank, matrix.shape[1])
    thin[:, : len(root)] = left[:, :rank] * root
    wide[: len(root)] = root[:, None] * right[:rank]
    return thin, wide
