"""Rows without labels, to be taught by the teacher alone: encoded once, as the log's own rows are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from autocompress.data.encode import encode_inputs
from autocompress.data.inputs import Inputs
from autocompress.data.store import Dataset
from autocompress.digest import file_digest, json_digest
from autocompress.errors import UserError
from autocompress.storage import new_folder

ROWS = 200_000
"""Rows encoded at a time."""


def unlabelled_inputs(path: Path, dataset: Dataset, cache: Path) -> Inputs:
    """Inputs of a Parquet file that holds the log's input columns, as `autocompress rows` writes them.

    They are found in `cache`/unlabelled by the digests of the data and the file. `UserError` naming `data.unlabelled`
    where the file is missing, holds no row, or lacks a column.
    """
    if not path.is_file():
        raise UserError(f"data.unlabelled: {path} does not exist")
    folder = cache / "unlabelled" / json_digest([dataset.digest, file_digest(path)])
    if not folder.exists():
        try:
            frame = pl.read_parquet(path, columns=list(dataset.schema.input_names))
        except (pl.exceptions.PolarsError, OSError) as error:
            raise UserError(f"data.unlabelled: {path} cannot be read: {str(error).splitlines()[0]}") from error
        if not frame.height:
            raise UserError(f"data.unlabelled: {path} holds not a single row")
        parts = [encode_inputs(chunk, dataset.encoder) for chunk in frame.iter_slices(ROWS)]
        with new_folder(folder) as temporary:
            np.save(temporary / "ids.npy", np.concatenate([part.ids for part in parts]))
            numbers = [part.numbers for part in parts if part.numbers is not None]
            if numbers:
                np.save(temporary / "numbers.npy", np.concatenate(numbers))
    with_numbers = (folder / "numbers.npy").exists()
    return Inputs(
        np.load(folder / "ids.npy", mmap_mode="r"),
        np.load(folder / "numbers.npy", mmap_mode="r") if with_numbers else None,
    )
