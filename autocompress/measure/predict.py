"""`autocompress predict`: scores rows with a bundle, where the training data never was."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from autocompress.artefact.bundle import open_bundle, verify
from autocompress.artefact.runtime import open_session, score
from autocompress.data.encode import encode
from autocompress.data.spool import require_columns
from autocompress.errors import UserError
from autocompress.storage import check_new_file, new_file

ROWS = 200_000
"""Rows encoded and scored at a time."""


def predict(artefact: Path, input: Path, output: Path) -> None:
    """Writes one Float32 column per task, named by the task, one row per row of `input` (Parquet), in its order.

    Labels may be absent; unknown ids read the out-of-vocabulary row. `UserError` names a missing file or column.
    """
    check_new_file("output", output)
    bundle = open_bundle(artefact)
    verify(bundle)
    if not input.is_file():
        raise UserError(f"input: {input} does not exist")
    schema, encoder, session = bundle.schema(), bundle.encoder(), open_session(bundle.model)
    try:
        require_columns(pl.read_parquet_schema(input), schema.field_names)
        frame = pl.read_parquet(input, columns=list(schema.field_names))
        parts = [
            pl.DataFrame(score(session, encode(chunk, encoder)), schema=dict.fromkeys(schema.task_names, pl.Float32))
            for chunk in (frame.iter_slices(ROWS) if frame.height else [frame])
        ]
    except UserError as error:
        raise UserError(f"input: {input}: {error}") from error
    except (pl.exceptions.PolarsError, OSError) as error:
        raise UserError(f"input: {input} cannot be read as Parquet: {str(error).splitlines()[0]}") from error
    with new_file(output) as temporary:
        pl.concat(parts).write_parquet(temporary)
