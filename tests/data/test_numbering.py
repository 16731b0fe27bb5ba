"""A student's own ids: renumbered from the data's, or given by the encoder that ships, they are the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from autocompress.data.encode import Encoder, encode, load, save
from autocompress.data.inputs import Inputs
from autocompress.data.numbering import Numbering, TableIds, between, narrowed, renumbered
from autocompress.schema import Field, Schema, Task

SIZES = (6, 4, 9)
SCHEMA = Schema(fields=tuple(Field(name=f"f{n}") for n in range(3)), tasks=(Task(name="click", label="click"),))
ENCODER = Encoder(SCHEMA, {f"f{n}": pl.Series([f"{n}/{value}" for value in range(SIZES[n])]) for n in range(3)})


@st.composite
def numberings(draw: st.DrawFn) -> Numbering:
    tables: list[TableIds] = []
    for size in SIZES:
        kind = draw(st.sampled_from(["cut", "moved", "gone"])) if len(tables) < 2 else "cut"
        if kind == "cut":
            tables.append(draw(st.integers(1, size + 1)))
        elif kind == "gone":
            tables.append(None)
        else:
            own = np.array([0, *draw(st.lists(st.integers(0, 3), min_size=size, max_size=size))], dtype=np.int32)
            # no gaps: every id up to the largest is some value's
            _, dense = np.unique(np.concatenate([[0], own]), return_inverse=True)
            tables.append(dense[1:].astype(np.int32))
    return Numbering(SCHEMA.slots, tuple(tables))


@given(numberings(), st.integers(0, 2**31))
def test_the_encoder_that_ships_agrees_with_renumbering(numbering: Numbering, seed: int) -> None:
    draw = np.random.default_rng(seed)
    frame = pl.DataFrame({f"f{n}": [f"{n}/{value}" for value in draw.integers(0, SIZES[n] + 2, 30)] for n in range(3)})
    wanted = renumbered(Inputs(encode(frame, ENCODER)), numbering)
    shipped = narrowed(ENCODER, numbering)
    np.testing.assert_array_equal(encode(frame.select(shipped.schema.field_names), shipped), wanted.ids)
    again = renumbered(Inputs(encode(frame, ENCODER)), between(ENCODER, shipped))
    np.testing.assert_array_equal(again.ids, wanted.ids)


def test_joined_ids_come_back_from_disk(tmp_path: Path) -> None:
    numbering = Numbering(SCHEMA.slots, (np.array([0, 2, 1, 2, 1, 0, 0], dtype=np.int32), 5, 10))
    shipped = narrowed(ENCODER, numbering)
    assert shipped.rows == (3, 5, 10)
    save(shipped, tmp_path)
    read = load(shipped.schema, tmp_path)
    assert read.rows == shipped.rows
    frame = pl.DataFrame({"f0": ["0/0", "0/1", "0/5", "?"], "f1": ["1/0"] * 4, "f2": ["2/8"] * 4})
    np.testing.assert_array_equal(encode(frame, read)[:, 0], [2, 1, 0, 0])


def test_padding_stays_padding() -> None:
    numbering = Numbering((0, 0), (np.array([0, 2, 1], dtype=np.int32),))
    ids = np.array([[-1, 1], [2, 0]], dtype=np.int32)
    np.testing.assert_array_equal(renumbered(Inputs(ids), numbering).ids, [[-1, 2], [1, 0]])
