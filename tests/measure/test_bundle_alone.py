"""`predict` and `measure` on a bundle small enough to be made here."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import polars as pl
import pytest

from autocompress.artefact.bundle import Bundle, write_bundle
from autocompress.data.encode import Encoder
from autocompress.errors import UserError
from autocompress.measure.latency import FINAL_RUNS
from autocompress.measure.machine import machine_digest
from autocompress.measure.predict import predict
from autocompress.measure.remeasure import remeasure
from autocompress.schema import Field, Schema, Task

SCHEMA = Schema(
    fields=(Field(name="city"), Field(name="price", kind="numeric")),
    tasks=(Task(name="click", label="click"), Task(name="buy", label="buy")),
)


@pytest.fixture
def bundle(doubling: Path, tmp_path: Path) -> Bundle:
    encoder = Encoder(SCHEMA, {"city": pl.Series(["x", "y"]), "price": pl.Series([1.0, 2.0])})

    def write(path: Path) -> None:
        shutil.copy(doubling, path)

    return write_bundle(tmp_path / "artefacts", write, encoder, plan=None, records=[], lineage={})


def scored(bundle: Bundle, tmp_path: Path, price: list[str | None]) -> list[float]:
    pl.DataFrame({"city": "x", "price": price}, schema_overrides={"city": pl.String}).write_parquet(tmp_path / "in")
    predict(bundle.folder, tmp_path / "in", tmp_path / "out")
    return pl.read_parquet(tmp_path / "out")["buy"].to_list()


def test_a_text_in_a_numeric_column_is_refused_with_the_column_and_its_first_row(
    bundle: Bundle, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=r"input: .*: column 'price' holds 'cheap' in row 2: a number or nothing"):
        scored(bundle, tmp_path, ["1.5", "cheap", "dear"])
    assert not (tmp_path / "out").exists()


def test_numbers_written_as_text_and_missing_values_are_scored(bundle: Bundle, tmp_path: Path) -> None:
    assert scored(bundle, tmp_path, ["1.5", None, "", "nan", "-3e9"]) == [4.0, 0.0, 0.0, 0.0, 2.0]


def test_measuring_again_keeps_what_the_study_alone_can_measure(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(FINAL_RUNS, 1, 30)
    path = bundle.folder.parent / f"{bundle.digest}.{machine_digest()}.json"
    path.write_text(json.dumps({"speedup": {"256": 3.5}, "latency_ms": {"256": {"p50": 99.0}}}))
    assert remeasure(bundle.folder) == 0
    stored = json.loads(path.read_text())
    assert stored["speedup"] == {"256": 3.5}
    assert stored["latency_ms"]["256"]["p50"] < 99.0


@pytest.mark.parametrize("content", ["", "[]", "{"])
def test_a_measurement_that_cannot_be_read_is_replaced(
    content: str, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(FINAL_RUNS, 1, 30)
    path = bundle.folder.parent / f"{bundle.digest}.{machine_digest()}.json"
    path.write_text(content)
    assert remeasure(bundle.folder) == 0
    assert json.loads(path.read_text())["sha256"] == bundle.sha256
