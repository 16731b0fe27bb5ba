"""The rungs of a study as trainings: how much of the log a student has seen at each."""

from __future__ import annotations

import math
from collections.abc import Sequence

from autocompress.compress.plan import Recovery
from autocompress.search.settings import Rung


def rows_of(rungs: Sequence[Rung], rows: int) -> list[int]:
    """Training rows at each rung on a log of `rows`: `all` is the log, and no rung before it is as long."""
    if rungs[-1] != "all":
        return [rung for rung in rungs if rung != "all"]
    return [*(rung for rung in rungs if rung != "all" and rung < rows), rows]


def recoveries(rungs: Sequence[Rung], rows: int, mask_ids: float) -> list[Recovery]:
    """One recovery per rung: the latest rows up to it, in several epochs where there are fewer.

    Ids are masked as often as in the teacher's training, or its students would unlearn what to say of new ids.
    """
    return [
        Recovery(data_share=min(1.0, rung / rows), epochs=max(1, math.floor(rung / rows)), mask_ids=mask_ids)
        for rung in rows_of(rungs, rows)
    ]
