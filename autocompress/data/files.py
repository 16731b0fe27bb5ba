"""Which files a path means, and how their rows are read: Parquet, delimited text, JSON lines.

A type is fixed per column before the first row is read (`sample`) and holds in every file. Files are read one after
another, each once and in parts, so that no log need fit in memory.
"""

from __future__ import annotations

import glob
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePath

import polars as pl

from autocompress.data.bad_cells import explain
from autocompress.data.object_store import S3, open_stored, stored
from autocompress.data.scan import Files, Format, scan
from autocompress.data.sniff import HEAD, first_bytes, has_header, sniff
from autocompress.data.source import CHUNK
from autocompress.digest import file_digest, json_digest
from autocompress.errors import UserError, nearest

ENDINGS: dict[str, Format] = {
    ".parquet": "parquet", ".pq": "parquet", ".csv": "text", ".tsv": "text", ".jsonl": "json", ".ndjson": "json",
    ".json": "json",
}  # fmt: skip
NAMED_ONLY: dict[str, Format] = {".txt": "text", ".tab": "text", ".data": "text"}
"""Endings that are read where a person names the file, and passed over in a folder (a README lies there, too)."""
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
"""Marks with which a text in UTF-16 begins."""


def find(path: str, separator: str | None = None, header: bool | None = None) -> Files:
    """The files that `path` means: a file, a folder (all data files in it, at any depth), a pattern, or s3://...

    Files are sorted by path; in a folder those that begin with `.` or `_`, or lie in such a folder, are passed over.
    `separator` and `header` are read off the first file where they are None.
    `UserError` where there is no file, formats are mixed, or a file is empty.
    """
    paths = _stored_paths(path) if path.startswith(S3) else [str(each) for each in _paths(path)]
    for each in paths:
        if not _starts(each, 1):
            raise UserError(f"data.path: {each} is empty: remove it, or write it again")
    formats = {_format(each): Path(each).name for each in reversed(paths)}
    if len(formats) > 1:
        names = ", ".join(sorted(formats.values()))
        raise UserError(f"data.path={path} mixes formats ({names}): name one, as in data.path='{path}/*.parquet'")
    (form,) = formats
    if form == "json" and _starts(paths[0], 1) == b"[":
        raise UserError(f"data.path: {paths[0]} is a JSON array: write one object per line (JSON lines)")
    if form == "text" and _starts(paths[0], 2) in UTF_16:
        raise UserError(f"data.path: {paths[0]} is UTF-16: write it as UTF-8")
    if form == "text" and (separator is None or header is None):
        separator, rows = sniff(_starts(paths[0], HEAD), separator)
        header = has_header(rows) if header is None else header
    return Files(tuple(paths), form, separator or ",", header is not False)


def content(files: Files) -> list[str]:
    """A digest per file: of its bytes; in an object store of its address, size and time."""
    if not files.paths[0].startswith(S3):
        return [file_digest(Path(path)) for path in files.paths]
    return [json_digest([each.bytes, each.written]) for path in files.paths for each in stored(path)]


def _stored_paths(path: str) -> list[str]:
    found = stored(path)
    if path not in (each.path for each in found):
        found = [each for each in found if _ending(each.path) in ENDINGS and _visible(PurePath(each.path[len(S3) :]))]
    if not found:
        raise UserError(f"data.path={path}: no data file there; what is read ends in {', '.join(ENDINGS)}")
    return [each.path for each in found]


def _paths(path: str) -> list[Path]:
    there = Path(path).expanduser()
    if there.is_file():
        return [there]
    hint = ""
    if there.is_dir():
        found = [
            each for each in there.rglob("*") if _visible(each.relative_to(there)) and _ending(str(each)) in ENDINGS
        ]
        hint = f"; what is read ends in {', '.join(ENDINGS)} (text and JSON also in .gz)"
    else:
        found = [Path(each) for each in glob.glob(str(there), recursive=True) if _visible(Path(Path(each).name))]
        if there.parent.is_dir():
            hint = nearest(there.name, [each.name for each in there.parent.iterdir()])
    found = sorted(each for each in found if each.is_file())
    if not found:
        raise UserError(f"data.path={path}: no data file there{hint}")
    return found


def _starts(path: str, size: int) -> bytes:
    try:
        with open_stored(path) if path.startswith(S3) else Path(path).open("rb") as stream:
            return first_bytes(stream, size)
    except (OSError, EOFError) as error:
        raise UserError(f"data.path: {path} cannot be read: {error}") from error


def chunks(files: Files, types: Mapping[str, pl.DataType]) -> Iterator[tuple[str, int, pl.DataFrame]]:
    """File, rows of it that came before, and a frame of at most `CHUNK` rows: the columns `types`, in these types.

    `UserError` names file, column, row and value where a cell does not fit its column's type, a line has too many
    cells, or the text is not UTF-8.
    """
    for path in files.paths:
        before = 0
        try:
            for frame in scan(files, path, types).collect_batches(chunk_size=CHUNK, maintain_order=True):
                for part in frame.iter_slices(CHUNK):
                    if part.height:
                        yield path, before, part
                        before += part.height
        except (pl.exceptions.PolarsError, OSError) as error:
            raise explain(error, files, path, types) from error


def _visible(path: PurePath) -> bool:
    return not any(part.startswith((".", "_")) for part in path.parts)


def _ending(path: str) -> str:
    return Path(path.lower().removesuffix(".gz")).suffix


def _format(path: str) -> Format:
    known = ENDINGS | NAMED_ONLY
    if _ending(path) not in known:
        raise UserError(f"data.path: {path} is in no format that is read: its name must end in {', '.join(known)}")
    if known[_ending(path)] == "parquet" and path.lower().endswith(".gz"):
        raise UserError(f"data.path: {path} is packed Parquet: unpack it (only text and JSON are read from .gz)")
    return known[_ending(path)]
