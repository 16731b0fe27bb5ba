"""Files in an object store (s3://bucket/key): which there are. Their rows are read through Polars, as local ones are.

Credentials, region and endpoint come from the environment that both libraries read: AWS_ACCESS_KEY_ID,
AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_ENDPOINT_URL.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import IO, cast

from pyarrow.fs import FileInfo, FileSelector, FileType, S3FileSystem

from autocompress.errors import UserError

S3 = "s3://"


@dataclass(frozen=True)
class Stored:
    """A file: its address, bytes, and when it was written (ns since 1970)."""

    path: str
    bytes: int
    written: int


def stored(path: str) -> list[Stored]:
    """The files that s3://bucket/key means (one, all below a folder, or those a pattern fits), sorted by address.

    `UserError` where the store does not answer, or refuses.
    """
    plain = path.removeprefix(S3).rstrip("/")
    fixed = plain.split("*")[0].split("?")[0].split("[")[0]
    try:
        store = _store()
        found: list[FileInfo]
        if fixed == plain and store.get_file_info(plain).type == FileType.File:
            found = [store.get_file_info(plain)]
        else:
            folder = plain if fixed == plain else fixed.rpartition("/")[0]
            found = store.get_file_info(FileSelector(folder, recursive=True, allow_not_found=True))
    except OSError as error:
        raise UserError(f"data.path={path} cannot be listed: {' '.join(str(error).split())[:300]}") from error
    files = [each for each in found if each.type == FileType.File]
    if fixed != plain:
        files = [each for each in files if fnmatchcase(each.path, plain)]
    return sorted((Stored(S3 + each.path, each.size, each.mtime_ns or 0) for each in files), key=lambda each: each.path)


def open_stored(path: str) -> IO[bytes]:
    """The bytes of a stored file, from its start; `OSError` where it cannot be read."""
    return cast(IO[bytes], _store().open_input_file(path.removeprefix(S3)))


def _store() -> S3FileSystem:
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    return S3FileSystem(endpoint_override=os.environ.get("AWS_ENDPOINT_URL"), region=region)
