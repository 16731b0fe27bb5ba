"""Bad input through the whole program: one line that names the key, status 2, and nothing left in the folder."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from autocompress.artefact.bundle import Bundle, write_bundle
from autocompress.cli.main import main
from autocompress.data.cleaning import Cleaning
from autocompress.data.sources.ads_simulator import AdsSimulator
from autocompress.data.sources.kuairand import LOGS, USERS, VIDEOS
from autocompress.data.store import prepare

# SQLAlchemy 2.1 deprecates what MLflow 3.17's own tables (mlflow/store/tracking/sqlalchemy_store.py) still use.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning")
KUAIRAND = Path(__file__).parents[3] / "shared" / "data" / "kuairand_pure"
SMALL = ("search=ads", "data.rows=2000")
NOBODY = "127.0.0.1:9"

WRONG_VALUES = {
    "sampler": (["study.sampler=tpee"], ["study.sampler=tpee", "nsga2", "did you mean 'tpe'?"]),
    "trial pruner": (["study.trial_pruner=ash"], ["study.trial_pruner=ash", "did you mean 'asha'?"]),
    "number of trials": (["study.n_trials=0"], ["study.n_trials=0", "greater than or equal to 1"]),
    "rungs": (["study.rungs=[8000,2000]"], ["study.rungs", "must grow"]),
    "name with a slash": (["study.name=a/b"], ["study.name", "'a/b'", "no slash"]),
    "name above the folder": (["study.name=.."], ["study.name", "no dot in front"]),
    "empty name": (["study.name="], ["study.name", "1 to 100 characters"]),
    "long name": (["study.name=" + "x" * 300], ["study.name", "1 to 100 characters"]),
    "rows": (["data.rows=10"], ["data.rows=10", "1000"]),
    "kind": (["data.kind=ads"], ["data", "ads_simulator, ", "did you mean 'ads_simulator'?"]),
    "teacher": (["teacher.shape.tower=[0]"], ["teacher.shape.tower"]),
    "knob": (["+search_spaces.rows.kep=[.1]"], ["search_spaces.rows.kep", "did you mean 'keep'?"]),
    "choice": (["search_spaces.quantize_tables.bits=[3]"], ["search_spaces.quantize_tables.bits", "3", "8, 4 or 2"]),
    "range": (
        ["search_spaces.rows.keep={low: 1, high: 0.5}"],
        ["search_spaces.rows.keep: low 1 is not below high 0.5"],
    ),
    "dimension": (["landmarks.small.shape.embedding_dim=0"], ["landmarks.small.shape.embedding_dim=0: input"]),
    "when": (["+search_spaces.rows.when=[maybe]"], ["search_spaces.rows.when", "true", "false"]),
    "student above the teacher": (["search_spaces.student.embedding_dim=[64]"], ["student.embedding_dim=64", "larger"]),
    "constraint": (["constraints.auc_drop=-1"], ["constraints.auc_drop=-1"]),
    "output": (["output=/dev/null/x"], ["output=/dev/null/x", "not a folder that can be written"]),
    "cache": (["cache=/dev/null/x"], ["cache=/dev/null/x", "not a folder that can be written"]),
    "storage without a scheme": (["study.storage=my.db"], ["study.storage=my.db"]),
    "storage of no known scheme": (["study.storage=foo://x"], ["study.storage=foo://x"]),
    "storage in no folder": (["study.storage=sqlite:////nowhere/x.db"], ["study.storage=sqlite:////nowhere/x.db"]),
    "storage that is away": ([f"study.storage=postgresql://me:secret@{NOBODY}/x"], ["study.storage=postgresql://me:*"]),
    "tracking of no known scheme": (["tracking.uri=foo://x"], ["tracking.uri=foo://x"]),
    "tracking in no folder": (["tracking.uri=sqlite:////nowhere/x.db"], ["tracking.uri", "no folder /nowhere"]),
    "tracking that is away": ([f"tracking.uri=http://{NOBODY}"], [f"tracking.uri=http://{NOBODY}", "does not answer"]),
}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def folder(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder of a person: empty."""
    empty = tmp_path / "here"
    empty.mkdir()
    monkeypatch.chdir(empty)
    monkeypatch.setenv("AUTOCOMPRESS_CACHE", str(cache))
    monkeypatch.delenv("AUTOCOMPRESS_DEBUG", raising=False)
    return empty


Refused = Callable[[list[str], list[str]], None]


@pytest.fixture
def refused(folder: Path, one_line: Callable[[list[str], list[str]], str]) -> Refused:
    def check(items: list[str], expected: list[str]) -> None:
        assert "secret" not in one_line(items, expected)
        assert [path.name for path in folder.iterdir()] == []

    return check


@pytest.fixture
def refused_log(folder: Path, capsys: pytest.CaptureFixture[str]) -> Refused:
    """As `refused`, for a fault in the log: what is known of it is printed before, as it explains the fault."""

    def check(items: list[str], expected: list[str]) -> None:
        assert main(items) == 2
        said = capsys.readouterr().err
        assert said.startswith("autocompress: error: ")
        assert said.count("\n") == 1
        assert [part for part in expected if part not in said] == []
        assert [path.name for path in folder.iterdir()] == []

    return check


@pytest.mark.parametrize(("items", "expected"), WRONG_VALUES.values(), ids=WRONG_VALUES)
def test_a_wrong_value_is_refused_before_anything_is_written(
    items: list[str], expected: list[str], refused: Refused
) -> None:
    refused([*SMALL, *items], expected)


@pytest.mark.parametrize("content", [b"hello " * 100, b"SQLite format 3\0" + b"junk" * 500], ids=["text", "corrupt"])
@pytest.mark.parametrize("key", ["study.storage", "tracking.uri"])
def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(
    key: str, content: bytes, refused: Refused, tmp_path: Path
) -> None:
    file = tmp_path / "runs.db"
    file.write_bytes(content)
    refused([*SMALL, f"{key}=sqlite:///{file}"], [f"{key}=sqlite:///{file}", "database"])
    assert file.read_bytes() == content
    assert [path.name for path in tmp_path.iterdir() if path.name != "here"] == ["runs.db"]


def edited(tmp_path: Path, name: str, change: Callable[[pl.DataFrame], pl.DataFrame]) -> Path:
    """A small KuaiRand of 300 impressions a day, one file of it changed."""
    root = tmp_path / "kuairand"
    root.mkdir()
    for file in KUAIRAND.iterdir():
        if file.name in LOGS:
            pl.read_parquet(file).group_by("date", maintain_order=True).head(300).write_parquet(root / file.name)
        else:
            (root / file.name).symlink_to(file)
    frame = pl.read_parquet(root / name) if name in LOGS else pl.read_csv(KUAIRAND / name)
    (root / name).unlink()
    changed = change(frame)
    changed.write_parquet(root / name) if name in LOGS else changed.write_csv(root / name)
    return root


def in_row_5(value: int) -> pl.Expr:
    return pl.when(pl.int_range(pl.len()) == 5).then(value).otherwise(pl.col("is_click")).alias("is_click")


LATE, TEST_DAY = LOGS[1], 20220507
WRONG_LOGS: dict[str, tuple[str, Callable[[pl.DataFrame], pl.DataFrame], list[str]]] = {
    "column": (LATE, lambda rows: rows.drop("tab"), ["data.root", LATE, "no column 'tab'"]),
    "column of a table": (USERS, lambda rows: rows.drop("user_active_degree"), [USERS, "'user_active_degree'"]),
    "misspelt column": (VIDEOS, lambda rows: rows.rename({"author_id": "author_ids"}), ["did you mean 'author_ids'?"]),
    "label of 2": (LATE, lambda rows: rows.with_columns(in_row_5(2)), ["'is_click'", "holds 2", "0 and 1"]),
    "label of 300": (LATE, lambda rows: rows.with_columns(in_row_5(300)), ["'is_click'", "0 and 1"]),
    "label in words": (LATE, lambda rows: rows.with_columns(is_click=pl.lit("yes")), ["'is_click'", "String"]),
    "empty split": (LATE, lambda rows: rows.filter(pl.col("date") < TEST_DAY), ["test split is empty"]),
    "one class": (LATE, lambda rows: rows.with_columns(is_click=pl.lit(0)), ["'is_click'", "always 0", "valid"]),
}


@pytest.mark.skipif(not KUAIRAND.is_dir(), reason=f"{KUAIRAND} is absent")
@pytest.mark.parametrize(("name", "change", "expected"), WRONG_LOGS.values(), ids=WRONG_LOGS)
def test_a_log_that_is_wrong_is_refused_before_anything_is_written(
    name: str,
    change: Callable[[pl.DataFrame], pl.DataFrame],
    expected: list[str],
    refused_log: Refused,
    tmp_path: Path,
    cache: Path,
) -> None:
    before = sorted(cache.glob("data/*"))
    refused_log(["search=ads", "data=kuairand", f"data.root={edited(tmp_path, name, change)}"], expected)
    assert sorted(cache.glob("data/*")) == before


@pytest.mark.skipif(not KUAIRAND.is_dir(), reason=f"{KUAIRAND} is absent")
def test_a_log_that_is_no_parquet_file_is_named(refused_log: Refused, tmp_path: Path) -> None:
    root = edited(tmp_path, LATE, lambda rows: rows)
    (root / LATE).write_text("a,b\n1,2\n")
    refused_log(["search=ads", "data=kuairand", f"data.root={root}"], ["data.root", LATE, "cannot be read"])


GOOD = b"id,amount,click\n" + b"".join(b"%d,%d.5,%d\n" % (row % 7, row % 11, row % 2) for row in range(300))
WRONG_FILES: dict[str, tuple[bytes, list[str], list[str]]] = {
    "mixed types": (GOOD + b"1,much,0\n", [], ["b.csv", "'amount'", "'much'", "row 301"]),
    "bad label": (GOOD + b"1,1.5,7\n", [], ["b.csv", "'click' holds 7 in row 301", "1 or 0"]),
    "label in words": (GOOD + b"1,1.5,maybe\n", [], ["b.csv", "'click' holds 'maybe' in row 301"]),
    "a pattern for a name": (GOOD.replace(b"id,", b"*,"), [], ["column '*': rename it"]),
    "not UTF-8": (GOOD + b"caf\xe9,1.5,0\n", [], ["b.csv", "not UTF-8", "row 301", "column 'id'"]),
    "empty among good ones": (b"", [], ["b.csv is empty"]),
    "another column": (GOOD.replace(b"amount", b"amounts"), [], ["b.csv", "no column 'amount'", "'amounts'"]),
    "too many cells": (GOOD + b"1,1.5,0,9\n", [], ["b.csv", "more than 3 cells", "line 302"]),
    "no positive": (GOOD.replace(b",1\n", b",0\n"), ["data.split={by: order}"], ["'click'", "always 0", "split"]),
    "label": (GOOD, ["data.label=clik"], ["data.label=clik", "did you mean 'click'?"]),
    "schema": (GOOD, ["data.schema=mine.yaml"], ["data.schema=mine.yaml", "No such file"]),
    "path": (GOOD, ["data.path=null"], ["data.path", "name a file, a folder or a pattern"]),
}


@pytest.mark.parametrize(("content", "more", "expected"), WRONG_FILES.values(), ids=WRONG_FILES)
def test_a_plain_file_that_is_wrong_is_refused_before_anything_is_written(
    content: bytes, more: list[str], expected: list[str], refused_log: Refused, tmp_path: Path, cache: Path
) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "a.csv").write_bytes(GOOD)
    (logs / "b.csv").write_bytes(content)
    before = sorted(cache.glob("data/*"))
    refused_log(["search=ads", "data=table", f"data.path={logs}", "data.label=click", *more], expected)
    assert sorted(cache.glob("data/*")) == before


@pytest.fixture(scope="module")
def rows() -> pl.DataFrame:
    return next(AdsSimulator(rows=2000).chunks())


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory, rows: pl.DataFrame) -> Bundle:
    """A bundle whose model nobody opens: what is refused here is refused before."""
    made = prepare(AdsSimulator(rows=2000), Cleaning(), tmp_path_factory.mktemp("prepared"))
    folder = tmp_path_factory.mktemp("artefacts")
    return write_bundle(folder, lambda p: _nothing(p), made.encoder, plan=None, records=[], lineage={})


def _nothing(path: Path) -> None:
    import onnx
    from onnx import TensorProto, helper

    ids = helper.make_tensor_value_info("ids", TensorProto.INT32, [None, 20])
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, [None, 20])
    graph = helper.make_graph([helper.make_node("Cast", ["ids"], ["scores"], to=1)], "g", [ids], [scores])
    onnx.save(helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 20)]), path)


WRONG_INPUTS: dict[str, tuple[Callable[[pl.DataFrame, Path], object], list[str]]] = {
    "absent": (lambda rows, file: None, ["input", "does not exist"]),
    "column": (lambda rows, file: rows.drop("city").write_parquet(file), ["input", "'city'"]),
    "misspelt column": (
        lambda rows, file: rows.rename({"city": "ciity"}).write_parquet(file),
        ["input", "'city'", "did you mean 'ciity'?"],
    ),
    "no columns": (lambda rows, file: pl.DataFrame().write_parquet(file), ["input", "'user_id'"]),
    "csv": (lambda rows, file: rows.write_csv(file), ["input", "Parquet"]),
    "empty file": (lambda rows, file: file.touch(), ["input", "Parquet"]),
    "folder": (lambda rows, file: file.mkdir(), ["input"]),
    "lists": (
        lambda rows, file: rows.with_columns(pl.concat_list("city").alias("city")).write_parquet(file),
        ["input", "cannot be read"],
    ),
}


@pytest.mark.parametrize(("write", "expected"), WRONG_INPUTS.values(), ids=WRONG_INPUTS)
def test_predict_refuses_an_input_that_it_cannot_score(
    write: Callable[[pl.DataFrame, Path], object],
    expected: list[str],
    refused: Refused,
    rows: pl.DataFrame,
    bundle: Bundle,
    tmp_path: Path,
) -> None:
    file = tmp_path / "in.parquet"
    write(rows, file)
    refused(["predict", f"artefact={bundle.folder}", f"input={file}", "output=made/scores.parquet"], expected)


@pytest.mark.parametrize("subcommand", ["predict", "measure"])
@pytest.mark.parametrize("fault", ["absent", "no bundle", "altered", "file missing"])
def test_an_artefact_that_is_none_or_was_altered_is_refused(
    subcommand: str, fault: str, refused: Refused, bundle: Bundle, rows: pl.DataFrame, tmp_path: Path
) -> None:
    copy = tmp_path / "bundle"
    if fault != "absent":
        copy.mkdir()
    if fault in ("altered", "file missing"):
        for file in bundle.folder.iterdir():
            (copy / file.name).write_bytes(file.read_bytes())
        content = bytearray((copy / "model.onnx").read_bytes())
        content[-1] ^= 1
        (copy / "model.onnx").write_bytes(content)
    if fault == "file missing":
        (copy / "encoder.parquet").unlink()
    rows.write_parquet(tmp_path / "in.parquet")
    more = [f"input={tmp_path / 'in.parquet'}", "output=scores.parquet"] if subcommand == "predict" else []
    refused([subcommand, f"artefact={copy}", *more], ["artefact", str(copy)])


@pytest.mark.parametrize("output", ["/tmp", "/dev/null/x"])
def test_an_output_that_cannot_be_written_is_refused_before_the_work(output: str, refused: Refused) -> None:
    refused(["rows", "data.rows=2000", f"output={output}"], ["output=/"])
    refused(["predict", "artefact=a", "input=i", f"output={output}"], ["output=/"])


def test_a_root_that_is_not_set_or_not_there_is_named(refused_log: Refused) -> None:
    refused_log(["data=criteo"], ["data.root is not set"])
    refused_log(["data=kuairand", "data.root=/nowhere"], ["data.root=/nowhere is no folder", "kuairand.com"])
    refused_log(["rows", "data=kuairand", "data.root=/nowhere", "output=made/rows.parquet"], ["data.root=/nowhere"])


def test_of_several_jobs_one_that_is_wrong_stops_all(refused: Refused) -> None:
    refused(["-m", *SMALL, "study.sampler=tpe,tpx"], ["study.sampler=tpx", "did you mean 'tpe'?"])


@pytest.mark.parametrize("debug", ["0", "1"])
def test_the_traceback_is_shown_on_demand_only(debug: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "autocompress", "predict", "artefact=nowhere", "input=i", "output=o"],
        cwd=tmp_path,
        env={**os.environ, "AUTOCOMPRESS_DEBUG": debug, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert ("Traceback" in done.stderr) is (debug == "1")
    assert done.stderr.splitlines()[-1].startswith("autocompress: error: artefact: nowhere is no bundle")
    assert list(tmp_path.iterdir()) == []
