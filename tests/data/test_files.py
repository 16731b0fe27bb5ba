"""Which files a path means, how they are read, and what is said of a file that cannot be."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import boto3
import polars as pl
import pytest
from moto.server import ThreadedMotoServer
from polars.testing import assert_frame_equal

from autocompress.data import files
from autocompress.data.files import chunks, content, find
from autocompress.data.sample import sample
from autocompress.data.scan import Types
from autocompress.errors import UserError

ROWS = pl.DataFrame({"n": [1, 2, 3], "x": [0.5, None, -2.0], "t": ["a", "b|c", None]})


def write(path: Path, frame: pl.DataFrame = ROWS, separator: str = ",", header: bool = True) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    ending = path.name.removesuffix(".gz").rpartition(".")[2]
    if ending == "parquet":
        frame.write_parquet(path)
    elif ending == "jsonl":
        frame.write_ndjson(path)
    else:
        text = frame.write_csv(separator=separator, include_header=header)
        path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def read(path: str, types: Types | None = None) -> pl.DataFrame:
    found = find(path)
    taken = sample(found)
    return pl.concat([part for _, _, part in chunks(taken.files, types or dict(taken.rows.schema))])


@pytest.mark.parametrize("name", ["a.parquet", "a.csv", "a.csv.gz", "a.jsonl"])
def test_every_format_gives_the_same_rows(tmp_path: Path, name: str) -> None:
    assert_frame_equal(read(str(write(tmp_path / name))), ROWS)


@pytest.mark.parametrize("name", ["a.tsv", "a.tsv.gz", "a.txt"])
@pytest.mark.parametrize("separator", ["\t", ";", "|"])
def test_the_separator_is_found_out(tmp_path: Path, name: str, separator: str) -> None:
    frame = ROWS.with_columns(t=pl.Series(["a", "b c", None]))
    assert_frame_equal(read(str(write(tmp_path / name, frame, separator))), frame)


def test_a_quoted_cell_may_hold_the_separator(tmp_path: Path) -> None:
    frame = pl.DataFrame({"a": ["x,y", "z"], "b": [1, 2]})
    assert_frame_equal(read(str(write(tmp_path / "a.csv", frame))), frame)


def test_columns_without_a_header_are_numbered_from_1(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", ROWS, header=False)
    assert read(str(path)).columns == ["column_1", "column_2", "column_3"]


def test_a_column_of_names_above_texts_is_a_header(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", pl.DataFrame({"city": ["Rome", "Oslo"], "land": ["it", "no"]}))
    assert find(str(path)).header


@pytest.mark.parametrize("word", ["", "NA", "null", "\\N", "NaN"])
def test_words_for_missing_leave_a_column_of_numbers_one_of_numbers(tmp_path: Path, word: str) -> None:
    (tmp_path / "a.csv").write_text(f"a,b\n1,x\n{word},y\n")
    assert read(str(tmp_path / "a.csv"))["a"].to_list() == [1, None]


def test_leading_zeros_stay(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("zip,b\n00501,1\n10001,2\n")
    assert read(str(tmp_path / "a.csv"))["zip"].to_list() == ["00501", "10001"]


def test_a_folder_gives_its_data_files_in_order_and_passes_hidden_ones_over(tmp_path: Path) -> None:
    for name in ("day=2/b.parquet", "day=1/a.parquet", "_temporary/c.parquet", ".d.parquet"):
        write(tmp_path / name)
    (tmp_path / "README.txt").write_text("words")
    assert [Path(path).name for path in find(str(tmp_path)).paths] == ["a.parquet", "b.parquet"]


@pytest.mark.parametrize("ending", ["parquet", "csv", "jsonl"])
def test_folders_that_name_a_column_and_its_value_add_that_column(tmp_path: Path, ending: str) -> None:
    for day, place in ((1, "it"), (2, "no")):
        write(tmp_path / f"day={day}" / f"place={place}" / f"a.{ending}")
    rows = read(str(tmp_path))
    assert rows["day"].to_list() == [1, 1, 1, 2, 2, 2]
    assert rows["place"].to_list() == ["it"] * 3 + ["no"] * 3


def test_blanks_around_the_names_of_a_header_do_not_count(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("n, x , t\n1, 2.5, a\n")
    assert read(str(tmp_path / "a.csv")).rows() == [(1, 2.5, " a")]


def test_a_pattern_gives_what_fits_it(tmp_path: Path) -> None:
    for name in ("a1.csv", "a2.csv", "b1.csv"):
        write(tmp_path / name)
    assert [Path(path).name for path in find(str(tmp_path / "a*.csv")).paths] == ["a1.csv", "a2.csv"]


def test_rows_come_in_parts_that_know_their_file_and_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "CHUNK", 2)
    for name in ("a.parquet", "b.parquet"):
        write(tmp_path / name)
    found = find(str(tmp_path))
    places = [(Path(path).name, before, part.height) for path, before, part in chunks(found, dict(ROWS.schema))]
    assert places == [("a.parquet", 0, 2), ("a.parquet", 2, 1), ("b.parquet", 0, 2), ("b.parquet", 2, 1)]


def test_whole_and_broken_numbers_of_two_files_meet_in_one_type(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", pl.DataFrame({"n": [1, 2]}))
    write(tmp_path / "b.parquet", pl.DataFrame({"n": [0.5]}))
    assert read(str(tmp_path))["n"].to_list() == [1.0, 2.0, 0.5]


def test_the_digest_is_of_bytes_and_not_of_names(tmp_path: Path) -> None:
    one, other = write(tmp_path / "a.csv"), write(tmp_path / "b.csv")
    assert content(find(str(one))) == content(find(str(other)))
    assert content(find(str(one))) != content(find(str(write(tmp_path / "c.csv", ROWS.head(2)))))


# what cannot be read


def fault(path: str, types: Types | None = None) -> str:
    with pytest.raises(UserError) as caught:
        read(path, types)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_path_without_files_is_said_with_the_nearest(tmp_path: Path) -> None:
    write(tmp_path / "logs.csv")
    assert "did you mean 'logs.csv'" in fault(str(tmp_path / "log.csv"))


def test_an_empty_file_among_good_ones_is_named(tmp_path: Path) -> None:
    write(tmp_path / "a.csv")
    (tmp_path / "b.csv").write_bytes(b"")
    assert f"{tmp_path / 'b.csv'} is empty" in fault(str(tmp_path))


def test_mixed_formats_are_named(tmp_path: Path) -> None:
    write(tmp_path / "a.csv")
    write(tmp_path / "b.parquet")
    assert "mixes formats (a.csv, b.parquet)" in fault(str(tmp_path))


def test_an_unknown_ending_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.xlsx").write_bytes(b"PK")
    assert "must end in .parquet" in fault(str(tmp_path / "a.xlsx"))


def test_a_text_among_numbers_is_named_with_file_column_and_row(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("n,m\n1,1\n2,2\n")
    (tmp_path / "b.csv").write_text("n,m\n1,1\n2,two\n")
    said = fault(str(tmp_path), {"n": pl.Int64(), "m": pl.Float64()})
    assert f"{tmp_path / 'b.csv'}: column 'm' holds 'two' in row 2" in said


def test_a_column_that_a_later_file_lacks_is_named(tmp_path: Path) -> None:
    write(tmp_path / "a.csv")
    write(tmp_path / "b.csv", ROWS.rename({"t": "tt"}))
    assert f"{tmp_path / 'b.csv'} has no column 't'" in fault(str(tmp_path))


def test_bytes_that_are_no_utf8_are_named_with_their_row(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"a,b\nx,1\nyy,2\ncaf\xe9,3\n")
    assert f"{tmp_path / 'a.csv'} is not UTF-8 in row 3" in fault(str(tmp_path / "a.csv"))


def test_bytes_that_are_no_utf8_are_named_with_their_column_whatever_replacement_came_before(tmp_path: Path) -> None:
    rows = 'a,b\n"\ufffd\n",1\nyy,2\n'.encode() + b"3,caf\xe9\n"
    (tmp_path / "a.csv").write_bytes(rows)
    assert f"{tmp_path / 'a.csv'} is not UTF-8 in row 3, column 'b': 'caf\ufffd'" in fault(str(tmp_path / "a.csv"))
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(rows))
    assert "is not UTF-8 in row 3, column 'b'" in fault(str(tmp_path / "b.csv.gz"))


def test_a_header_that_is_no_utf8_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"caf\xe9,b\nth\xe9,1\n")
    assert "is not UTF-8 in its header: 'caf\ufffd'" in fault(str(tmp_path / "a.csv"))


def test_utf16_is_refused_by_its_mark(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("a,b\nx,1\n".encode("utf-16"))
    assert f"{tmp_path / 'a.csv'} is UTF-16: write it as UTF-8" in fault(str(tmp_path / "a.csv"))


def test_a_line_with_too_many_cells_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,b\n1,2\n1,2,3\n")
    assert "has more than 2 cells in line 3" in fault(str(tmp_path / "a.csv"))


def test_a_line_with_too_many_cells_is_named_where_a_quoted_cell_holds_a_line_break(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('a,b\n"x\ny,z",2\n1,2\n1,2,3\n')
    assert "has more than 2 cells in line 5: '1,2,3'" in fault(str(tmp_path / "a.csv"))


@pytest.mark.parametrize("name", ["*", "^a.*$"])
@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl"])
def test_a_column_whose_name_is_a_pattern_of_polars_is_refused(tmp_path: Path, name: str, ending: str) -> None:
    path = write(tmp_path / f"a.{ending}", ROWS.rename({"n": name}))
    assert f"has a column {name!r}: rename it" in fault(str(path))


def test_packed_parquet_is_refused_by_name(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet").rename(tmp_path / "a.parquet.gz")
    assert f"{path} is packed Parquet: unpack it" in fault(str(path))


def test_arrays_and_wide_integers_are_read_as_lists_and_integers(tmp_path: Path) -> None:
    lists = pl.Series([[1, 2], [3, 4]], dtype=pl.Array(pl.Int64, 2))
    pl.DataFrame({"l": lists, "i": pl.Series([1, 2], dtype=pl.Int128)}).write_parquet(tmp_path / "a.parquet")
    assert read(str(tmp_path / "a.parquet")).schema == {"l": pl.List(pl.Int64), "i": pl.Int64}
    pl.DataFrame({"l": lists, "i": pl.Series([1, 2**70], dtype=pl.Int128)}).write_parquet(tmp_path / "a.parquet")
    assert f"column 'i' holds '{2**70}' in row 2" in fault(str(tmp_path / "a.parquet"))


# JSON lines


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b'{"n": "many", "x": 1.5}', "column 'n' holds 'many' in row 3: its other values are Int64"),
        (b'{"n": 1.5}', "column 'n' holds 1.5 in row 3: its other values are Int64"),
        (b'{"n": [1], "x": 1.5}', "column 'n' holds [1] in row 3: its other values are Int64"),
        (b'{"x": true}', "column 'x' holds True in row 3: its other values are Float64"),
        (b'{"l": [1, "b"]}', "column 'l' holds [1, 'b'] in row 3: its other values are List(Int64)"),
        (b'{"l": 1}', "column 'l' holds 1 in row 3: its other values are List(Int64)"),
        (b'{"n": 1, "t": "caf\xe9"}', "column 't' holds 'caf\ufffd' in row 3: it is not UTF-8"),
        (b'{"n": 1, "t": \xe9}', "is not UTF-8 in line 4"),
        (b"5", "has no JSON object in line 4: '5'"),
    ],
)
def test_a_json_value_that_does_not_fit_is_named_with_column_and_row(tmp_path: Path, line: bytes, said: str) -> None:
    types: Types = {"n": pl.Int64(), "x": pl.Float64(), "t": pl.String(), "l": pl.List(pl.Int64)}
    start = b'{"n": 1, "x": 1, "t": "\xef\xbf\xbd", "l": [1]}\n\n{"n": null, "l": []}\n'
    path = tmp_path / "a.jsonl"
    path.write_bytes(start)
    taken = sample(find(str(path)))
    for name, content_of in (("a.jsonl", start + line + b"\n"), ("b.jsonl.gz", gzip.compress(start + line + b"\n"))):
        (tmp_path / name).write_bytes(content_of)
        with pytest.raises(UserError) as caught:
            list(chunks(replace(taken.files, paths=(str(tmp_path / name),)), types))
        assert f"{tmp_path / name}" in str(caught.value)
        assert said in str(caught.value)


@pytest.mark.parametrize("value", ["[2]", '{"b": 2}', "true"])
def test_values_of_two_shapes_in_the_sample_are_named(tmp_path: Path, value: str) -> None:
    (tmp_path / "a.jsonl").write_text(f'{{"a": 1}}\n{{"a": {value}}}\n')
    assert "in row 2: the first one is a value" in fault(str(tmp_path / "a.jsonl"))


# what is read otherwise than it stands there is said


def test_words_for_missing_among_numbers_are_missing_in_every_part_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "CHUNK", 2)
    (tmp_path / "a.csv").write_text("a,b,c\n1, ?,x\n-,2,?\n")
    (tmp_path / "b.csv").write_text("a,b,c\n-,None,y\n2, ?,-\n")
    taken = sample(find(str(tmp_path)))
    assert taken.rows.rows() == [(1, None, "x"), (None, 2, "?"), (None, None, "y"), (2, None, None)]
    assert taken.notes == (" ?, - (in numbers: a, b) is read as missing in every column",)
    again = pl.concat([part for _, _, part in chunks(taken.files, dict(taken.rows.schema))])
    assert_frame_equal(again, taken.rows)


def test_columns_of_a_later_file_alone_are_said(tmp_path: Path) -> None:
    write(tmp_path / "a.csv")
    write(tmp_path / "b.csv", ROWS.with_columns(more=1, most=2))
    said = f"{tmp_path / 'b.csv'}: not read, as {tmp_path / 'a.csv'} lacks it: more, most"
    assert sample(find(str(tmp_path))).notes == (said,)


def test_notes_of_many_files_are_cut_short(tmp_path: Path) -> None:
    for number in range(12):
        write(tmp_path / f"{number:02d}.csv", ROWS.with_columns(more=1) if number else ROWS)
    notes = sample(find(str(tmp_path))).notes
    assert len(notes) == 9
    assert notes[-1] == "and 3 more such lines"


def test_a_name_that_stands_twice_in_a_header_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,b,a\n1,2,3\n")
    (note,) = sample(find(str(tmp_path / "a.csv"))).notes
    assert "'a' stands twice in the header: the later one is read as 'a_duplicated_0'" in note


def test_rows_with_too_few_cells_are_counted_and_said(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('a,b\n"x\ny",2\nz\nw,\n\nv\n')
    (note,) = sample(find(str(tmp_path / "a.csv"))).notes
    assert note.endswith("2 of its first 5 rows have too few cells, as in line 4")
    (tmp_path / "a.csv").write_text('a,b\n"x\ny",2\nz,\n')
    assert sample(find(str(tmp_path / "a.csv"))).notes == ()


def test_a_row_of_the_sample_knows_its_file_and_its_place_there(tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv"):
        write(tmp_path / name)
    taken = sample(find(str(tmp_path)), 5)
    assert [(Path(path).name, row) for path, row in map(taken.place, range(5))] == [
        ("a.csv", 1), ("a.csv", 2), ("a.csv", 3), ("b.csv", 1), ("b.csv", 2),
    ]  # fmt: skip


def test_a_line_that_is_no_json_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"a": 1}\n{"a": \n')
    assert "has no JSON object in line 2" in fault(str(tmp_path / "a.jsonl"))


def test_a_json_array_is_refused_with_what_is_wanted(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps([{"a": 1}]))
    assert "one object per line" in fault(str(tmp_path / "a.json"))


def test_a_truncated_parquet_file_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet")
    path.write_bytes(path.read_bytes()[:-20])
    assert str(path) in fault(str(path))


# an object store, spoken to over HTTP


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    server = ThreadedMotoServer(port=0)
    server.start()
    host, port = server.get_host_and_port()
    secret = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_REGION": "us-east-1"}
    before = dict(os.environ)
    os.environ.update(secret, AWS_ENDPOINT_URL=f"http://{host}:{port}", AWS_ALLOW_HTTP="true")
    client = boto3.client("s3", region_name="us-east-1")
    client.create_bucket(Bucket="logs")
    folder = tmp_path_factory.mktemp("bucket")
    for name in ("day1/a.parquet", "day2/b.parquet", "text/a.tsv.gz"):
        client.upload_file(str(write(folder / name, separator="\t")), "logs", name)
    yield "s3://logs"
    server.stop()
    os.environ.clear()
    os.environ.update(before)


@pytest.mark.parametrize("path", ["day1/a.parquet", "day1", "day*/a.parquet", "text/a.tsv.gz"])
def test_files_of_an_object_store_are_read_as_local_ones_are(bucket: str, path: str) -> None:
    frame = ROWS.with_columns(pl.all())
    assert_frame_equal(read(f"{bucket}/{path}"), frame)


def test_a_pattern_in_an_object_store_gives_what_fits_it(bucket: str) -> None:
    assert find(f"{bucket}/day*/*.parquet").paths == (f"{bucket}/day1/a.parquet", f"{bucket}/day2/b.parquet")


def test_a_file_in_an_object_store_that_is_written_again_has_another_digest(bucket: str, tmp_path: Path) -> None:
    found = find(f"{bucket}/day2/b.parquet")
    before = content(found)
    boto3.client("s3").upload_file(str(write(tmp_path / "b.parquet", ROWS.head(2))), "logs", "day2/b.parquet")
    assert content(found) != before == before


def test_a_fault_in_a_file_of_an_object_store_is_explained(bucket: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"a,b\n1,x\n2,caf\xe9\n")
    boto3.client("s3").upload_file(str(tmp_path / "a.csv"), "logs", "bad/a.csv")
    assert f"{bucket}/bad/a.csv is not UTF-8 in row 2, column 'b'" in fault(f"{bucket}/bad/a.csv")


def test_an_object_store_without_such_files_says_so(bucket: str) -> None:
    assert "no data file there" in fault(f"{bucket}/day3")


def test_an_object_store_that_does_not_answer_is_named(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    assert f"data.path={bucket}/day1 cannot be listed" in fault(f"{bucket}/day1")
