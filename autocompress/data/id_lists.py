"""Text files of `user item item ...`, one user a line: the form in which implicit pairs and sequences are published."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from autocompress.data.negatives import Ids
from autocompress.errors import UserError

_NO_SEPARATOR = "\x1f"


def read_id_lists(path: Path) -> tuple[Ids, Ids]:
    """User and item of every pair, int64 (pairs,), lines and their items in order; a line without items gives none.

    `UserError` names file, row and text where an id is no whole number, and the file where it cannot be read, has no
    pair, or names a user in two lines.
    """
    try:
        lines = pl.read_csv(
            path, has_header=False, schema={"line": pl.String}, separator=_NO_SEPARATOR, quote_char=None
        )["line"]
    except (pl.exceptions.PolarsError, OSError) as error:
        raise UserError(f"data.root: {path} cannot be read: {str(error).splitlines()[0]}") from error
    words = lines.fill_null("").str.strip_chars().str.split(" ")
    ids = words.list.eval(pl.element().cast(pl.Int64, strict=False))
    wrong = (ids.list.eval(pl.element().is_null() | (pl.element() < 0)).list.any()) & (lines.fill_null("") != "")
    if wrong.any():
        row = wrong.arg_max() or 0
        raise UserError(
            f"data.root: {path} has {lines[row][:60]!r} in row {row + 1}: allowed are whole numbers, 0 or more, "
            "parted by one blank"
        )
    ids = ids.filter(lines.fill_null("") != "")
    users = ids.list.first()
    if users.is_duplicated().any():
        raise UserError(f"data.root: {path} has two lines of user {users.filter(users.is_duplicated())[0]}")
    items = ids.list.slice(1)
    lengths = items.list.len().to_numpy()
    if not lengths.sum():
        raise UserError(f"data.root: {path} has no pairs")
    flat = items.explode(empty_as_null=False, keep_nulls=False).to_numpy()
    return np.repeat(users.to_numpy(), lengths), flat
