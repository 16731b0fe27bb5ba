"""The bundle: the same content under the same name, whole or not at all, and never read past what it says it is."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from autocompress.artefact.bundle import MANIFEST, MODEL, Bundle, open_bundle, verify, write_bundle
from autocompress.data import encode
from autocompress.data.numbering import between, narrowed, renumbered
from autocompress.errors import UserError
from autocompress.models.recommender import Recommender
from tests.contracts.small_model import ROWS, SCHEMA, Exporter, new_context, new_model, transform

FILES = {MODEL, "encoder.parquet", "schema.json", "plan.json", "records.json", "lineage.json", MANIFEST}


def new_encoder() -> encode.Encoder:
    values = {
        name: pl.Series(name, [float(n) for n in range(rows - 2)])
        if name == "price"
        else pl.Series(name, [f"{name} {n}" for n in range(rows - 1)])
        for name, rows in ROWS.items()
    }
    return encode.Encoder(SCHEMA, values)


Write = Callable[[Recommender], Bundle]


@pytest.fixture
def parent(tmp_path: Path) -> Path:
    return tmp_path / "artefacts"


@pytest.fixture
def write(parent: Path, exported: Exporter) -> Write:
    def written(model: Recommender) -> Bundle:
        def write_model(path: Path) -> None:
            shutil.copy(exported(model), path)

        return write_bundle(
            parent,
            write_model,
            narrowed(new_encoder(), model.bank.numbering),
            plan={"student": {}},
            records=[],
            lineage={"data": "d", "teacher": "t", "seed": 0},
        )

    return written


@pytest.fixture
def bundle(write: Write) -> Bundle:
    return write(new_model())


def test_equal_models_are_one_artefact(write: Write, parent: Path) -> None:
    assert write(new_model()).digest == write(new_model()).digest
    assert len(list(parent.iterdir())) == 1


def test_another_weight_makes_another_artefact(write: Write) -> None:
    other = new_model()
    other.dense.get_parameter("head.bias").data[0] += 1e-3
    assert write(other).digest != write(new_model()).digest


def test_the_folder_is_named_by_the_sha256_of_its_manifest(bundle: Bundle) -> None:
    digest = hashlib.sha256((bundle.folder / MANIFEST).read_bytes()).hexdigest()
    assert bundle.digest == bundle.folder.name == digest


def test_the_manifest_holds_sha256_and_bytes_of_every_other_file(bundle: Bundle) -> None:
    assert {path.name for path in bundle.folder.iterdir()} == FILES
    files = json.loads((bundle.folder / MANIFEST).read_text())["files"]
    assert set(files) == FILES - {MANIFEST}
    for name, facts in files.items():
        content = (bundle.folder / name).read_bytes()
        assert facts == {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def test_the_manifest_and_the_files_beside_the_model_hold_no_time_and_no_path(bundle: Bundle, tmp_path: Path) -> None:
    manifest = json.loads((bundle.folder / MANIFEST).read_text())
    assert set(manifest) == {"version", "files"}
    for path in bundle.folder.iterdir():
        assert str(tmp_path).encode() not in path.read_bytes(), path.name
        assert str(Path.home()).encode() not in path.read_bytes(), path.name


def test_sizes_are_those_on_disk(bundle: Bundle) -> None:
    assert bundle.model_bytes == bundle.model.stat().st_size
    assert bundle.bundle_bytes == sum(path.stat().st_size for path in bundle.folder.iterdir())
    assert bundle.sha256 == hashlib.sha256(bundle.model.read_bytes()).hexdigest()


def test_external_data_counts_as_model_bytes(parent: Path) -> None:
    def with_external_data(path: Path) -> None:
        path.write_bytes(b"graph")
        path.with_name(f"{path.name}.data").write_bytes(b"weights")

    made = write_bundle(parent, with_external_data, new_encoder(), plan=None, records=[], lineage={})
    assert made.model_bytes == len(b"graphweights")
    assert f"{MODEL}.data" in made.sizes


RENUMBERING: list[tuple[str, dict[str, Any]]] = [
    ("rows", {"keep": 0.3}),
    ("rows", {"keep": 0.3, "buckets": 0.2}),
    ("rows", {"keep": 0.5, "importance": "norm"}),
    ("hashing", {"keep": 0.2, "least_rows": 100}),
    ("fields", {"keep": 0.5}),
]


@pytest.mark.parametrize(("kind", "knobs"), RENUMBERING, ids=str)
def test_the_encoder_that_ships_gives_the_ids_that_the_model_reads(
    kind: str, knobs: dict[str, Any], write: Write
) -> None:
    model, data = new_model(), new_encoder()
    transform(kind, knobs).apply(model, new_context())
    shipped = write(model).encoder()
    assert shipped.slot_rows == model.bank.layout.slot_rows
    rows = 400
    draw = np.random.default_rng(1)
    frame = pl.DataFrame(
        {name: draw.choice([*map(str, data.values[name].to_list()), "?"], rows) for name in ("user", "item", "city")}
        | {"device": draw.choice(data.values["device"].to_list(), rows), "price": draw.uniform(-1, 12, rows)}
        | {name: draw.choice(data.values[name].to_list(), (rows, 3)).tolist() for name in ("tags",)}
        | {"history": draw.choice(data.values["item"].to_list(), (rows, 2)).tolist()}
        | {"image": draw.standard_normal((rows, 5)).tolist(), "age": draw.standard_normal(rows)}
    )
    wanted = renumbered(encode.encode_inputs(frame, data), model.bank.numbering)
    again = renumbered(encode.encode_inputs(frame, data), between(data, shipped))
    needed = frame.select(shipped.schema.input_names)
    np.testing.assert_array_equal(encode.encode_inputs(needed, shipped).ids, wanted.ids)
    np.testing.assert_array_equal(again.ids, wanted.ids)


def test_a_dropped_field_needs_no_column_any_more(write: Write) -> None:
    model = new_model()
    record = transform("fields", {"keep": 0.5}).apply(model, new_context())
    dropped = {SCHEMA.tables[table] for table in record["dropped"]}
    assert len(dropped) == 2
    assert set(write(model).schema().input_names) == set(SCHEMA.input_names) - dropped


def test_a_bundle_opens_as_it_was_written_wherever_it_is_moved(bundle: Bundle, tmp_path: Path) -> None:
    moved = shutil.copytree(bundle.folder, tmp_path / "elsewhere")
    again = open_bundle(moved)
    verify(again)
    assert again.digest == bundle.digest
    assert again.schema() == SCHEMA


@pytest.mark.parametrize("name", sorted(FILES - {MANIFEST}))
def test_a_file_of_other_content_is_named(name: str, bundle: Bundle) -> None:
    content = bytearray((bundle.folder / name).read_bytes())
    content[-2] ^= 1
    (bundle.folder / name).write_bytes(content)
    with pytest.raises(UserError, match=rf"{name}|cannot be read"):
        verify(open_bundle(bundle.folder))


@pytest.mark.parametrize("name", sorted(FILES - {MANIFEST}))
def test_a_truncated_file_is_named(name: str, bundle: Bundle) -> None:
    (bundle.folder / name).write_bytes((bundle.folder / name).read_bytes()[:-1])
    with pytest.raises(UserError, match=rf"{name} is missing or does not have its|cannot be read"):
        open_bundle(bundle.folder)


@pytest.mark.parametrize("name", sorted(FILES - {MANIFEST}))
def test_a_missing_file_is_named(name: str, bundle: Bundle) -> None:
    (bundle.folder / name).unlink()
    with pytest.raises(UserError, match=name):
        open_bundle(bundle.folder)


@pytest.mark.parametrize("make", [Path.mkdir, lambda path: None], ids=["empty", "absent"])
def test_a_folder_that_is_no_bundle_is_refused(make: Callable[[Path], None], tmp_path: Path) -> None:
    make(tmp_path / "folder")
    with pytest.raises(UserError, match=rf"folder is no bundle: it has no {MANIFEST}"):
        open_bundle(tmp_path / "folder")


BROKEN: list[Any] = [[], {}, {"files": []}, {"files": {}}, {"files": {MODEL: {}}}, {"files": {MODEL: 3}}]


@pytest.mark.parametrize("content", [*BROKEN, None, "half"], ids=str)
def test_a_manifest_that_describes_no_bundle_is_refused_in_one_line(content: Any, bundle: Bundle) -> None:
    text = json.dumps(content) if content != "half" else (bundle.folder / MANIFEST).read_text()[:50]
    (bundle.folder / MANIFEST).write_text(text)
    with pytest.raises(UserError, match="artefact: ") as caught:
        open_bundle(bundle.folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["../secret", "sub/secret", "/etc/hostname", "..", "."])
def test_a_manifest_cannot_point_outside_its_folder(name: str, bundle: Bundle) -> None:
    (bundle.folder.parent / "secret").write_bytes(b"12345")
    (bundle.folder / "sub").mkdir()
    (bundle.folder / "sub" / "secret").write_bytes(b"12345")
    manifest = json.loads((bundle.folder / MANIFEST).read_text())
    outside = bundle.folder / name
    manifest["files"][name] = {"bytes": outside.stat().st_size if outside.exists() else 5, "sha256": "0" * 64}
    (bundle.folder / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(UserError, match="artefact: "):
        open_bundle(bundle.folder)


def test_nothing_stays_behind_where_the_model_cannot_be_written(parent: Path) -> None:
    def half_written(path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="the disk is full"):
        write_bundle(parent, half_written, new_encoder(), plan=None, records=[], lineage={})
    assert list(parent.iterdir()) == []


def test_nothing_stays_behind_where_the_lineage_is_no_json(parent: Path) -> None:
    with pytest.raises(TypeError):
        write_bundle(
            parent, lambda path: path.touch(), new_encoder(), plan=None, records=[], lineage={"seed": object()}
        )
    assert list(parent.iterdir()) == []
