"""Properties of preparation as a whole: over every kind of input, through the store, on logs that Hypothesis draws."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import numpy as np
import polars as pl
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from autocompress.data import store, write_split
from autocompress.data.cleaning import Cleaning
from autocompress.data.encode import Encoder, encode, encode_inputs, encode_list, encode_vector, load
from autocompress.data.source import SPLITS, RowSource
from autocompress.data.split import AtRandom, ByColumn, ByGroup, ByTime, InOrder, Splitting
from autocompress.digest import json_digest
from autocompress.errors import UserError
from autocompress.schema import Field, Frozen, Schema, Sequence, Task, Vector

KEEP = Cleaning(duplicates="keep", constant="keep", leaks="keep", clip=(0.05, 0.95))
SCHEMA = Schema(
    fields=(
        Field(name="item"),
        Field(name="shop", min_count=2),
        Field(name="city", encoding="hash", buckets=9),
        Field(name="price", kind="numeric", buckets=4),
        Field(name="count", kind="numeric", encoding="log", buckets=6),
    ),
    sequences=(
        Sequence(name="seen", shares="item", length=3),
        Sequence(name="tags", length=2, separator="|"),
        Sequence(name="words", encoding="hash", buckets=5, length=2, separator="|"),
    ),
    vectors=(Vector(name="age", standardise=True), Vector(name="text", width=2)),
    tasks=(Task(name="click", label="click"),),
    time="time",
    group="user",
    weight="weight",
    score="score",
)


class Drawn(Frozen):
    """A log of `rows` rows in parts of `part`: training rows are drawn from `seed`, the others from `later`.

    Of eight rows the sixth is a validation row, the last two are test rows; the fifth has no time.
    """

    kind: str = "drawn"
    synthetic: ClassVar[bool] = False
    rows: int = 64
    seed: int = 0
    later: int = 0
    part: int = 64
    split: Splitting = ByColumn(column="part")

    def row_schema(self) -> Schema:
        return SCHEMA

    def content_digest(self) -> str:
        return json_digest(self.model_dump(mode="json"))

    def splitting(self) -> Splitting:
        return self.split

    def notes(self) -> list[str]:
        return []

    def frame(self) -> pl.DataFrame:
        train, rest = _drawn(self.rows, self.seed), _drawn(self.rows, self.later + 1000, 9)
        numbers = np.arange(self.rows) % 8
        parts = pl.Series("part", np.array(["train"] * 5 + ["valid", "test", "test"])[numbers])
        here = pl.Series(parts == "train")
        columns = [train[name].zip_with(here, rest[name]).alias(name) for name in train.columns]
        labels = pl.Series("click", (np.arange(self.rows) // 8 + numbers) % 2, dtype=pl.Int8)
        times = pl.Series("time", np.where(numbers == 4, np.nan, np.arange(self.rows) // 3)).fill_nan(None)
        return pl.DataFrame([*columns, labels, times, parts])

    def chunks(self) -> Iterator[pl.DataFrame]:
        yield from self.frame().iter_slices(self.part)


def _drawn(rows: int, seed: int, scale: int = 1) -> pl.DataFrame:
    """Inputs and keys; `scale` makes numbers larger and ids others."""
    draw = np.random.default_rng(seed)

    def some(values: list[Any]) -> list[Any]:
        return [None if lost else value for value, lost in zip(values, draw.random(rows) < 0.1, strict=True)]

    def ids(number: int) -> list[str]:
        return [f"{scale}{each}" for each in draw.integers(0, number, rows)]

    return pl.DataFrame(
        {
            "item": some(ids(9)),
            "shop": some((scale * draw.integers(0, 20, rows)).tolist()),
            "city": some(ids(20)),
            "price": some((scale * draw.normal(size=rows)).tolist()),
            "count": some((scale * draw.integers(-5, 50, rows)).tolist()),
            "seen": some(
                [[f"{scale}{each}" for each in draw.integers(0, 9, draw.integers(0, 5))] for _ in range(rows)]
            ),
            "tags": some([f"{a}|{b}" for a, b in zip(ids(6), ids(6), strict=True)]),
            "words": some(ids(20)),
            "age": some((scale * draw.normal(size=rows)).tolist()),
            "text": some(draw.normal(size=(rows, 2)).tolist()),
            "user": ids(12),
            "weight": draw.uniform(0.5, 2, rows),
            "score": some(draw.random(rows).tolist()),
        },
        schema_overrides={"seen": pl.List(pl.String), "text": pl.List(pl.Float64)},
        strict=False,
    )


def files_of(source: RowSource, workers: int | None = None, cleaning: Cleaning = KEEP) -> dict[str, bytes]:
    """Every file of the store by name, but the note of when its files were last seen."""
    with TemporaryDirectory() as folder:
        store._make(source, cleaning, Path(folder), partial(write_split.in_threads, workers=workers))
        return {path.name: path.read_bytes() for path in Path(folder).iterdir() if path.name != store.SEEN}


seeds = st.integers(0, 99)


@settings(max_examples=6)
@given(seeds, seeds, seeds)
def test_validation_and_test_rows_touch_no_fitted_statistic(seed: int, one: int, other: int) -> None:
    first, second = (files_of(Drawn(seed=seed, later=later)) for later in (one, other))
    assert first["encoder.parquet"] == second["encoder.parquet"]
    for name in first:
        if name.endswith("_train.npy") and name != "groups_train.npy":  # groups are numbered over all splits
            assert first[name] == second[name], name
    assert (first["ids_test.npy"] == second["ids_test.npy"]) == (one == other)


def test_every_kind_of_fitted_statistic_is_among_those_that_are_compared(tmp_path: Path) -> None:
    made = store.prepare(Drawn(), KEEP, tmp_path)
    assert set(made.encoder.values) == {"item", "shop", "price", "count", "tags", "age"}
    assert all(len(values) for values in made.encoder.values.values())
    changed = store.prepare(Drawn(seed=1), KEEP, tmp_path)
    same = [name for name, values in made.encoder.values.items() if values.equals(changed.encoder.values[name])]
    assert set(same) <= {"item", "count"}  # a training row does touch them


@settings(max_examples=6)
@given(seeds, st.integers(1, 70), st.integers(2, 5), st.sampled_from([1.0, 0.5]))
def test_no_byte_of_a_store_depends_on_workers_or_chunks(seed: int, part: int, workers: int, negatives: float) -> None:
    cleaning = Cleaning(negatives=negatives)
    whole = files_of(Drawn(seed=seed), 1, cleaning)
    again = files_of(Drawn(seed=seed, part=part), workers, cleaning)
    assert again == whole
    kinds = {name.rpartition("_")[0] for name in whole if name.endswith("_test.npy")}
    assert {"ids", "labels", "log_rows", "weights", "scores", "groups"} <= kinds
    assert {"encoder.parquet", "cleaning.json", "store.json"} <= set(whole)
    assert {name.split("_")[0] for name in kinds} >= {"ids", "numbers"}


SHARES = {"valid": 0.25, "test": 0.25}
by = st.sampled_from(
    [ByColumn(column="part"), ByTime(**SHARES), InOrder(**SHARES), AtRandom(**SHARES), ByGroup(column="user", **SHARES)]
)


@settings(max_examples=12)
@given(by, seeds, st.integers(1, 70))
def test_rows_of_a_store_are_in_one_split_or_counted_in_none(splitting: Splitting, seed: int, part: int) -> None:
    source = Drawn(seed=seed, part=part, split=splitting)
    frame = source.frame()
    with TemporaryDirectory() as folder:
        try:
            made = store.prepare(source, KEEP, Path(folder))
        except UserError:  # few users: a side may stay without a row or a class
            assume(splitting.by not in ("group", "random"))
            raise
        rows = {split: made.log_rows(split).tolist() for split in SPLITS}
        left_out = made.cleaning.split.none
    there = [row for split in SPLITS for row in rows[split]]
    assert len(set(there)) == len(there)
    timeless = {int(row) for row in frame["time"].is_null().arg_true()}
    missing = set(range(frame.height)) - set(there)
    assert missing == (timeless if splitting.by == "time" else set())
    assert left_out == len(missing)
    if isinstance(splitting, ByColumn):
        assert all((frame["part"][rows[split]] == split).all() for split in SPLITS)
    if isinstance(splitting, ByGroup):
        users = [set(frame["user"][rows[split]].to_list()) for split in SPLITS]
        assert len(set.union(*users)) == sum(map(len, users))


whole = st.integers(-(2**63), 2**63 - 1)
words = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=6)
values = st.one_of(
    st.tuples(st.just(pl.Int64), st.lists(whole, min_size=1, max_size=9, unique=True)),
    st.tuples(st.just(pl.String), st.lists(words, min_size=1, max_size=9, unique=True)),
    st.tuples(
        st.just(pl.Float64),
        st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=9, unique=True),
    ),
)


def decoded(ids: np.ndarray[Any, np.dtype[np.int32]], vocabulary: pl.Series) -> list[Any]:
    return [vocabulary[int(each) - 1] if each > 0 else None for each in ids.ravel()]


@given(values, st.data())
def test_known_values_decode_to_themselves_and_unseen_and_missing_ones_are_0(
    kind: tuple[type[pl.DataType], list[Any]], data: st.DataObject
) -> None:
    dtype, distinct = kind
    asked = data.draw(st.lists(st.sampled_from([*distinct, None]), min_size=1, max_size=20))
    schema = Schema(
        fields=(Field(name="item"),), tasks=SCHEMA.tasks, sequences=(Sequence(name="seen", shares="item", length=4),)
    )
    # half of the values are seen in training
    vocabulary = pl.Series("item", distinct[: (len(distinct) + 1) // 2], dtype=dtype)
    encoder = Encoder(schema, {"item": vocabulary})
    known = set(vocabulary.to_list())
    frame = pl.DataFrame({"item": pl.Series(asked, dtype=dtype)})
    expected = [value if value in known else None for value in asked]
    assert decoded(encode(frame, encoder), vocabulary) == expected
    lists = pl.DataFrame({"seen": pl.Series([asked], dtype=pl.List(dtype))})
    assert decoded(encode_list(lists, schema.sequences[0], encoder)[:, -len(asked) :], vocabulary) == expected[-4:]


@settings(max_examples=6)
@given(seeds)
def test_what_a_store_holds_decodes_to_the_rows_of_the_log(seed: int) -> None:
    source = Drawn(seed=seed)
    with TemporaryDirectory() as folder:
        made = store.prepare(source, KEEP, Path(folder))
        encoder = load(made.schema, made.folder)
        for split in SPLITS:
            frame = source.frame()[made.log_rows(split).tolist()]
            inputs = made.inputs(split)
            ids, whole = inputs.ids, encode_inputs(frame, encoder)
            for index, name in enumerate(("item", "shop")):
                vocabulary = encoder.values[name]
                known = frame[name].is_in(vocabulary.implode()).fill_null(False).to_list()
                expected = [value if there else None for value, there in zip(frame[name], known, strict=True)]
                assert decoded(ids[:, index], vocabulary) == expected
            np.testing.assert_array_equal(ids, whole.ids)
            lists = np.hstack([encode_list(frame, each, encoder) for each in made.schema.sequences])
            np.testing.assert_array_equal(ids[:, len(made.schema.fields) :], lists)
            assert inputs.numbers is not None
            np.testing.assert_array_equal(inputs.numbers, whole.numbers)
            vectors = np.hstack([encode_vector(frame, vector, encoder) for vector in made.schema.vectors])
            np.testing.assert_array_equal(inputs.numbers, vectors)
