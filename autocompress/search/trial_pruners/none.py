"""Every trial runs to its end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from autocompress.schema import Frozen
from autocompress.search.objectives import Vector


class Unpruned(Frozen):
    """What a comparison of pruners needs."""

    kind: Literal["none"] = "none"

    def goes_on(self, number: int, level: int, mine: Vector, others: Mapping[int, Vector], eta: int) -> bool:
        """Always."""
        return True
