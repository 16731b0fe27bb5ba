"""Census-Income (KDD): people of two US surveys (1994, 1995); the tasks of the MMoE and PLE papers.

Ma et al., "Modeling Task Relationships in Multi-task Learning with Multi-gate Mixture-of-Experts", KDD 2018; Tang et
al., "Progressive Layered Extraction", RecSys 2020. Two forms are read: census-income.data and census-income.test as
published (no header, comma and space between 42 columns, "?" for missing; either may be gz), and Parquet parts of the
former with literal quotes around text, where `__index_level_0__` is the row number. "NA" of `hisp_origin` is a value.

The instance weight (column `unknown`) and the row number are no fields, and neither is the column that a task is made
of. What is left still tells of it: `det_hh_summ` "Child under 18 never married" says that one never married.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import polars as pl
from pydantic import Field as Limits

from autocompress.data.delimited import text_chunks, whole
from autocompress.data.download import Remote
from autocompress.data.hashing import mix
from autocompress.data.public import PublicSet, credit, public_file, public_folder
from autocompress.data.split import AtRandom, ByColumn, Splitting
from autocompress.digest import file_digest, json_digest
from autocompress.errors import UserError, not_allowed
from autocompress.schema import Field, Frozen, Schema, Task

COLUMNS = (
    "age", "class_worker", "det_ind_code", "det_occ_code", "education", "wage_per_hour", "hs_college", "marital_stat",
    "major_ind_code", "major_occ_code", "race", "hisp_origin", "sex", "union_member", "unemp_reason",
    "full_or_part_emp", "capital_gains", "capital_losses", "stock_dividends", "tax_filer_stat", "region_prev_res",
    "state_prev_res", "det_hh_fam_stat", "det_hh_summ", "unknown", "mig_chg_msa", "mig_chg_reg", "mig_move_reg",
    "mig_same", "mig_prev_sunbelt", "num_emp", "fam_under_18", "country_father", "country_mother", "country_self",
    "citizenship", "own_or_self", "vet_question", "vet_benefits", "weeks_worked", "year", "income_50k",
)  # fmt: skip
NUMERIC = (
    "age", "wage_per_hour", "capital_gains", "capital_losses", "stock_dividends", "num_emp", "weeks_worked",
)  # fmt: skip
WEIGHT, INCOME, ROW = "unknown", "income_50k", "__index_level_0__"
TASKS: dict[str, tuple[str, tuple[str, ...]]] = {
    "income": (INCOME, ("50000+.",)),
    "never_married": ("marital_stat", ("Never married",)),
    "college": (
        "education",
        (
            "Bachelors degree(BA AB BS)",
            "Masters degree(MA MS MEng MEd MSW MBA)",
            "Prof school degree (MD DDS DVM LLB JD)",
            "Doctorate degree(PhD EdD)",
        ),
    ),
}
"""The column that a task is made of, and the values that make it 1."""
INCOMES = ("- 50000.", "50000+.")
DATA, TEST = (("census-income.data", "census-income.data.gz"), ("census-income.test", "census-income.test.gz"))
ARCHIVE = Remote(url="https://archive.ics.uci.edu/static/public/117/census+income+kdd.zip")


class CensusIncome(Frozen):
    """`root` holds the published files or the Parquet parts; without it the former are downloaded.

    `group` is a column whose groups a metric is averaged over, such as `sex`; `seed` draws the validation rows.
    """

    kind: Literal["census_income"] = "census_income"
    synthetic: ClassVar[bool] = False
    licence: ClassVar[str] = "CC BY 4.0"
    citation: ClassVar[str] = "Census-Income (KDD), UCI Machine Learning Repository, 2000, doi:10.24432/C5N30T"
    address: ClassVar[str] = "https://archive.ics.uci.edu/dataset/117/census+income+kdd"
    root: Path | None = None
    tasks: tuple[Literal["income", "never_married", "college"], ...] = Limits(("income", "never_married"), min_length=1)
    group: str | None = None
    seed: int = Limits(0, ge=0)

    def row_schema(self) -> Schema:
        """Up to 40 fields: every column but the weight, the income and what a task is made of."""
        names = self._fields()
        if self.group is not None and self.group not in names:
            raise not_allowed(f"data.group={self.group} is no field", self.group, names)
        fields = tuple(Field(name=name, kind="numeric" if name in NUMERIC else "categorical") for name in names)
        return Schema(fields=fields, tasks=tuple(Task(name=name, label=name) for name in self.tasks), group=self.group)

    def splitting(self) -> Splitting:
        """By file where the published test file is there, its rows halved into validation and test; else at random."""
        published = not self._parts() and len(self._files()) == 2
        return ByColumn(column="split") if published else AtRandom(seed=self.seed)

    def content_digest(self) -> str:
        """Of the bytes of the files and of what is made of them."""
        files = [file_digest(path) for path in self._files()]
        return json_digest({"files": files, "tasks": self.tasks, "seed": self.seed})

    def notes(self) -> list[str]:
        """Where it is from: nothing is guessed."""
        return credit(self)

    def chunks(self) -> Iterator[pl.DataFrame]:
        """Labels Int8, numeric fields Int64, other fields text; `split` (train, valid, test) with the test file."""
        if self._parts():
            yield self._rows(_joined(self._files()), self._files()[0], 0)
            return
        files = self._files()
        for number, path in enumerate(files):

            def typed(frame: pl.DataFrame, before: int, path: Path = path, number: int = number) -> pl.DataFrame:
                rows = self._rows(frame, path, before)
                return rows if len(files) == 1 else rows.with_columns(self._split(number, before, rows.height))

            yield from text_chunks(path, COLUMNS, ",", False, typed)

    def _rows(self, frame: pl.DataFrame, path: Path, before: int) -> pl.DataFrame:
        plain = frame.with_columns(pl.col(pl.String).str.strip_chars(" '"))
        plain = plain.with_columns(pl.col(pl.String).replace("?", None))
        unknown = (~plain[INCOME].is_in(INCOMES)).fill_null(True)
        if unknown.any():
            row = unknown.arg_max() or 0
            raise UserError(
                f"data.root: {path} has {plain[INCOME][row]!r} in column {INCOME!r}, row {before + row + 1}: "
                f"allowed are {' and '.join(INCOMES)}"
            )
        labels = [pl.col(TASKS[name][0]).is_in(TASKS[name][1]).cast(pl.Int8).alias(name) for name in self.tasks]
        numbers = [whole(plain, name, path, before) for name in NUMERIC if plain.schema[name] == pl.String]
        fields = [pl.col(name) if name in NUMERIC else pl.col(name).cast(pl.String) for name in self._fields()]
        return plain.with_columns(numbers).select(*fields, *labels)

    def _split(self, number: int, before: int, height: int) -> pl.Series:
        """Text: train for the first file; for the second, valid or test by a hash of the row's number."""
        if number == 0:
            return pl.Series("split", ["train"]).new_from_index(0, height)
        rows = np.arange(before, before + height, dtype=np.uint64) + np.uint64(self.seed << 32)
        return pl.Series("split", np.where(mix(rows) >> np.uint64(63), "test", "valid"))

    def _fields(self) -> tuple[str, ...]:
        left_out = {WEIGHT, INCOME, *(TASKS[name][0] for name in self.tasks)}
        return tuple(name for name in COLUMNS if name not in left_out)

    def _parts(self) -> list[Path]:
        return sorted(self.root.expanduser().glob("*.parquet")) if self.root is not None else []

    def _files(self) -> list[Path]:
        if parts := self._parts():
            return parts
        public = PublicSet(
            kind=self.kind,
            address=self.address,
            licence=self.licence,
            citation=self.citation,
            files=("census-income.data", "census-income.test"),
            archive=ARCHIVE,
            nested=("census.tar.gz",),
        )
        data, folder = public_file(public, self.root, DATA), public_folder(public, self.root)
        return [data, *[folder / name for name in TEST if (folder / name).is_file()][:1]]


def _joined(parts: list[Path]) -> pl.DataFrame:
    """All parts in the order of their row numbers."""
    try:
        return pl.concat([pl.read_parquet(path, columns=[*COLUMNS, ROW]) for path in parts]).sort(ROW).drop(ROW)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise UserError(f"data.root: {parts[0].parent} cannot be read: {str(error).splitlines()[0]}") from error
