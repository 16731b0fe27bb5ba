"""What no cleaning can mend: labels of one class, weights below 0, scores that are no probabilities."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from autocompress.data.source import SPLITS
from autocompress.data.spool import Spool
from autocompress.errors import UserError


def check_labels(rows: Spool, codes: NDArray[np.uint8]) -> None:
    """`UserError` naming label and split where a split holds one class only. `codes`: the split of every row."""
    labels = rows.labels()
    for code, split in enumerate(SPLITS):
        positives = labels[codes == code].mean(axis=0)
        for task, share in zip(rows.schema.tasks, positives, strict=True):
            if share in (0, 1):
                raise UserError(
                    f"label {task.label!r} is always {share:.0f} in the {split} split: a task needs both 0 and 1"
                )


def check_numbers(rows: Spool) -> None:
    """`UserError` naming key, row and value where a weight is no number >= 0 or a score no probability."""
    for role, name, highest, allowed in (
        ("weight", rows.schema.weight, np.inf, "a number, 0 or more"),
        ("score", rows.schema.score, 1.0, "a probability, or nothing"),
    ):
        if name is None:
            continue
        values = rows.array(f"key:{role}")
        fine = (values >= 0) & (values <= highest) & (values < np.inf)
        if role == "score":
            fine |= np.isnan(values)
        if not fine.all():
            row = int(np.argmin(fine))
            raise UserError(
                f"{role} column {name!r} holds {values[row]:g} in row {row + 1:,} of the log: allowed is {allowed}"
            )
