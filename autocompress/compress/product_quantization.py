"""Large tables as codes of a byte for every few numbers, and the pieces that they name, which go on training.

Jegou, Douze and Schmid, TPAMI 2011. The pieces of a place are the 256 means of the rows there, rows weighted by the
root of how often they are read; codes stay what they are, pieces are trained.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field as Limits

from autocompress.compress.transform import Context, Record
from autocompress.models.product_codes import PIECES
from autocompress.models.recommender import Recommender
from autocompress.schema import Frozen

ROUNDS, LEARNT_FROM = 12, 50_000
"""Of k-means, and rows at most that it looks at: the most frequent ones."""


class ProductQuantization(Frozen):
    """Tables of at least `least_rows` rows whose dimension `piece` divides take a byte per `piece` numbers."""

    kind: Literal["product_quantization"] = "product_quantization"
    follows: ClassVar[frozenset[str]] = frozenset({"rows", "channels", "low_rank", "weights", "quantize_dense"})
    piece: Literal[2, 4, 8] = 4
    least_rows: int = Limits(10_000, ge=PIECES)

    def apply(self, model: Recommender, context: Context) -> Record:
        """Record: `pieces`, {table: numbers in a piece}; codes and pieces are tensors of the model."""
        layout = model.bank.layout
        large = [table for table, rows in enumerate(layout.rows) if rows >= self.least_rows]
        fits = [table for table in large if layout.dims[table] % self.piece == 0 and table not in layout.products]
        record: Record = {"pieces": {str(table): self.piece for table in fits}}
        old = {table: model.bank.table(table).detach() for table in fits}
        self.restore(model, record)
        with torch.no_grad():
            for table, rows in old.items():
                group, _ = model.bank.layout.places[table]
                codes, book = codes_of(rows.numpy(), context.counts[table][: len(rows)], self.piece)
                model.bank.get_buffer(f"codes_{group}").copy_(torch.from_numpy(codes))
                model.bank.tables[group].copy_(torch.from_numpy(book))
        return record

    def restore(self, model: Recommender, record: Record) -> None:
        """Switches the recorded tables to codes."""
        model.bank = model.bank.with_products({int(table): piece for table, piece in record["pieces"].items()})

    def keeps(self) -> str | None:
        """Bits per number of the tables."""
        return f"{8 / self.piece:.3g} bits of large tables' numbers"

    def storage_bits(self) -> int | None:
        """Pieces are floats: what is chosen is how many share a code."""
        return None


def codes_of(
    rows: NDArray[np.float32], counts: NDArray[np.int64], piece: int
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Codes uint8 (rows, places) and pieces float32 (places * PIECES, piece), near a table's frequent rows (rows, d).

    The same table gives the same codes. `ValueError` where it has fewer than `PIECES` rows.
    """
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    means = KMeans(PIECES, n_init=1, max_iter=ROUNDS, init="random", random_state=0)
    frequent = np.sort(np.argsort(-counts, kind="stable")[:LEARNT_FROM])
    weight = np.sqrt(counts[frequent] + 1.0)
    codes, book = [], []
    for start in range(0, rows.shape[1], piece):
        part = np.ascontiguousarray(rows[:, start : start + piece])
        # several threads add up their sums in the order in which they end
        with threadpool_limits(1):
            fitted = means.fit(part[frequent], None, weight)
        codes.append(fitted.predict(part).astype(np.uint8))
        book.append(fitted.cluster_centers_.astype(np.float32))
    return np.stack(codes, axis=1), np.concatenate(book)
