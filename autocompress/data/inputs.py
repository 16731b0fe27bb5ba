"""Rows as models read them: packed ids, and the numbers of vectors where there are any."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Rows = slice | NDArray[np.int64] | list[int]


@dataclass(frozen=True)
class Inputs:
    """`ids` int32 (rows, slots), in the order of `Schema.slots`: an id per field, then the entries of each list.

    0 is out of vocabulary or missing, -1 padding on the left of a list. `numbers` float32 (rows, width) holds all
    vectors side by side; None where the schema has none. Either may be memory-mapped.
    """

    ids: NDArray[np.int32]
    numbers: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, rows: Rows) -> Inputs:
        """Some of the rows; a slice copies nothing."""
        return Inputs(self.ids[rows], None if self.numbers is None else self.numbers[rows])

    def feed(self) -> dict[str, NDArray[np.int32] | NDArray[np.float32]]:
        """What a session of ONNX Runtime is given, by input name."""
        ids: dict[str, NDArray[np.int32] | NDArray[np.float32]] = {"ids": np.ascontiguousarray(self.ids)}
        return ids if self.numbers is None else {**ids, "numbers": np.ascontiguousarray(self.numbers)}
