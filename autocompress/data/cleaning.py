"""Cleaning: which rows and inputs of a log are left out, what is clipped, and a count of everything that looks wrong.

Whatever decides is read from the training rows; of the validation rows only what training never saw is counted.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Annotated, Literal, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import ConfigDict, model_validator
from pydantic import Field as Limits

from autocompress.data import leaks
from autocompress.data.column_facts import Facts, facts
from autocompress.data.columns import Column
from autocompress.data.split import TRAIN
from autocompress.data.spool import UNKNOWN, Spool
from autocompress.errors import not_allowed
from autocompress.schema import Frozen

Role = Literal["categorical", "numeric", "list", "vector"]
Quantile = Annotated[float, Limits(ge=0.0, le=1.0)]
ALMOST = "one value in"
"""How the warning about an input of almost one value begins: the least of the warnings."""
ONE_SIDED = 0.9
"""Share of the validation rows with an unseen value from which an input is called one-sided."""
COARSE = 100
"""Rows per distinct time from which a time is a day or an hour rather than a moment."""
_ROLES: dict[str, Role] = {
    "codes": "categorical", "hash": "categorical", "numbers": "numeric",
    "lists": "list", "hashed_lists": "list", "vectors": "vector",
}  # fmt: skip


class Cleaning(Frozen):
    """What is dropped and what is only reported.

    `duplicates`: copies of a row; `auto` drops them where the schema has a time column fine enough to tell events apart
    (then two equal rows are one event logged twice; else two events may look alike). `constant`: inputs with one value
    in training.
    `near_constant`: share of the commonest value from which an input is reported. `clip`: training quantiles to which
    standardised numbers are clipped. `leaks`: inputs that give the label away (`auto` drops them where the schema was
    guessed, and reports them where somebody named the inputs); `leak_auc`: AUC of one input alone from
    which it is suspect. `keep`: inputs that are never dropped. `negatives`: share of the training rows without a
    single positive label that is kept, each counting 1/share times, so that probabilities stay calibrated.
    """

    duplicates: Literal["auto", "drop", "keep"] = "auto"
    constant: Literal["drop", "keep"] = "drop"
    near_constant: float = Limits(0.999, gt=0.5, le=1.0)
    clip: tuple[Quantile, Quantile] = (0.001, 0.999)
    leaks: Literal["auto", "drop", "keep"] = "auto"
    leak_auc: float = Limits(0.9, gt=0.5, le=1.0)
    keep: tuple[str, ...] = ()
    negatives: float = Limits(1.0, gt=0.0, le=1.0)

    @model_validator(mode="after")
    def _clip_rises(self) -> Self:
        if self.clip[0] >= self.clip[1]:
            raise ValueError(f"clip holds {list(self.clip)}: the first quantile must be below the second")
        return self


class RowCounts(Frozen):
    """Rows of the log; rows without some label (dropped); later copies of another row, and how many were dropped.

    `thinned`: training rows without a positive label that `negatives` left out.
    """

    rows: int
    unknown_labels: int
    duplicates: int
    duplicates_dropped: int
    thinned: int = 0


class SplitRows(Frozen):
    """Rows per split; `none`: rows in no split, dropped ones among them."""

    train: int
    valid: int
    test: int
    none: int


class ColumnReport(Frozen):
    """One input; of training rows unless said otherwise, and of the entries of a list.

    `missing`: share of the rows (of a list: empty). `distinct`: values; `once`: ids seen once. `commonest`: share of
    the commonest value, missing among them. `low`, `high`: numbers at the quantiles `clip`; `outside`: numbers of any
    row beyond them. `unseen`: share of the validation values that training never saw (of numbers: beyond its range).
    `auc`: of the input alone, the highest over the tasks. `dropped`: why. None: has no meaning here.
    """

    name: str
    role: Role
    missing: float
    distinct: int | None = None
    once: int | None = None
    commonest: float | None = None
    low: float | None = None
    high: float | None = None
    outside: int = 0
    unseen: float | None = None
    auc: float | None = None
    dropped: str | None = None
    warnings: tuple[str, ...] = ()


class CleaningReport(Frozen):
    """What was counted and dropped. What an older version said beyond that is passed over."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    rows: RowCounts
    split: SplitRows
    columns: tuple[ColumnReport, ...]


def keep_rows(spool: Spool, cleaning: Cleaning) -> tuple[NDArray[np.bool_], RowCounts]:
    """Which rows stay, bool (rows,): every label known, and of equal rows the first where duplicates are dropped."""
    known = (spool.labels() != UNKNOWN).all(axis=1)
    copies = known & ~pl.Series(np.asarray(spool.fingerprints())).is_first_distinct().to_numpy()
    auto = cleaning.duplicates == "auto" and _tells_events_apart(spool)
    drop = cleaning.duplicates == "drop" or auto
    counts = RowCounts(
        rows=spool.rows,
        unknown_labels=int((~known).sum()),
        duplicates=int(copies.sum()),
        duplicates_dropped=int(copies.sum()) if drop else 0,
    )
    return (known & ~copies if drop else known), counts


def _tells_events_apart(spool: Spool) -> bool:
    """Whether the time column, if there is one, has a value of its own for at least every hundredth row."""
    if spool.schema.time is None:
        return False
    return pl.Series(np.asarray(spool.array("key:time"))).n_unique() * COARSE >= spool.rows


def inspect(spool: Spool, split: NDArray[np.uint8], cleaning: Cleaning) -> tuple[ColumnReport, ...]:
    """A report per input, in the order of the schema. `split`: `TRAIN`, `VALID`, `TEST` or `NONE` of every row.

    `UserError` where `cleaning.keep` names no input.
    """
    for name in cleaning.keep:
        if name not in spool.schema.input_names:
            raise not_allowed(f"cleaning.keep holds {name!r}: no input", name, spool.schema.input_names)
    found = leaks.find(spool, np.flatnonzero(split == TRAIN), cleaning.leak_auc)
    names = spool.schema.input_names
    drops_leaks = cleaning.leaks == "drop" or (cleaning.leaks == "auto" and spool.schema.guessed)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        seen = pool.map(lambda name: facts(spool, name, split, cleaning.clip), names)
        reports = {
            name: _judged(spool.columns[name], each, found[name], name, cleaning, drops_leaks)
            for name, each in zip(names, seen, strict=True)
        }
    for each in spool.schema.sequences:
        if each.shares is not None and reports[each.shares].dropped is not None and reports[each.name].dropped is None:
            reason = f"its ids are those of {each.shares}, which is dropped"
            reports[each.name] = reports[each.name].model_copy(update={"dropped": reason})
    return tuple(reports.values())


def _judged(
    column: Column, seen: Facts, leak: leaks.Finding, name: str, cleaning: Cleaning, drops_leaks: bool
) -> ColumnReport:
    dropped: str | None = None
    warnings: list[str] = []
    free = name not in cleaning.keep
    if seen.constant:
        reason = "missing in every training row" if seen.missing == 1 else "one value in every training row"
        if cleaning.constant == "drop" and free:
            dropped = reason
        else:
            warnings.append(reason)
    elif seen.commonest is not None and seen.commonest >= cleaning.near_constant:
        warnings.append(f"{ALMOST} {np.floor(1e4 * seen.commonest) / 100:.2f} % of the training rows")
    if leak.suspect is not None:
        if drops_leaks and free:
            dropped = dropped or f"suspected leak: {leak.suspect}"
        else:
            warnings.append(f"suspected leak: {leak.suspect}")
    elif leak.doubtful is not None:
        warnings.append(f"may be a consequence: {leak.doubtful}")
    if seen.unseen is not None and seen.unseen >= ONE_SIDED:
        warnings.append(f"one-sided: {100 * seen.unseen:.0f} % of its validation values never stand in training")
    values = {key: value for key, value in asdict(seen).items() if key != "constant"}
    return ColumnReport(
        name=name, role=_ROLES[column.kind], **values, auc=leak.auc, dropped=dropped, warnings=tuple(warnings)
    )
