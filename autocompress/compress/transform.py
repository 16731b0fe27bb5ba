"""What every compression method offers, and what it may look at while it is applied."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from autocompress.models.recommender import Recommender
from autocompress.schema import Schema

Record = dict[str, Any]
"""JSON; what `apply` decided, so that `restore` needs neither data nor a random number."""


@dataclass(frozen=True)
class Context:
    """A sample of the training data for decisions: `ids` int64 (n, slots), `labels` float32 (n, tasks).

    `counts[i]` is the training frequency (int64) of every id of table i of the uncompressed vocabulary. `numbers`
    float32 (n, width) are there where the schema has vectors.
    """

    schema: Schema
    counts: list[NDArray[np.int64]]
    ids: torch.Tensor
    labels: torch.Tensor
    numbers: torch.Tensor | None = None


class Transform(Protocol):
    """A frozen pydantic model with a `kind`; knobs are its fields."""

    follows: ClassVar[frozenset[str]]
    """Kinds that may stand before this one in a plan (its own among them where it may be repeated)."""

    @property
    def kind(self) -> str:
        """Name of the method."""

    def apply(self, model: Recommender, context: Context) -> Record:
        """Changes `model` in place, starting near what it computed before, and says how."""

    def restore(self, model: Recommender, record: Record) -> None:
        """Repeats exactly what `apply` did to the structure of an equal model; tensors are loaded afterwards."""

    def keeps(self) -> str | None:
        """For people, after the word "keeps": "50 % of rows"; None where nothing is removed."""

    def storage_bits(self) -> int | None:
        """Bits per stored weight of what it quantizes; None where it quantizes nothing."""

    def model_dump(self, *, mode: str = "python") -> Mapping[str, Any]:
        """The knobs as plain data."""
