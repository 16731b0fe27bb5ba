"""`autocompress predict`: scores rows with a bundle, where the training data never was."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from autocompress.artefact.bundle import open_bundle, verify
from autocompress.artefact.runtime import open_session, score
from autocompress.data.bad_cells import shown
from autocompress.data.encode import encode_inputs
from autocompress.data.spool import require_columns
from autocompress.errors import UserError
from autocompress.storage import check_new_file, new_file

ROWS = 200_000
"""Rows encoded and scored at a time."""


def predict(artefact: Path, input: Path, output: Path) -> None:
    """Writes one Float32 column per task, named by the task, one row per row of `input` (Parquet), in its order.

    Labels may be absent; unknown ids read the out-of-vocabulary row. `UserError` names a missing file or column, or
    a text where a number belongs.
    """
    check_new_file("output", output)
    bundle = open_bundle(artefact)
    verify(bundle)
    if not input.is_file():
        raise UserError(f"input: {input} does not exist")
    schema, encoder, session = bundle.schema(), bundle.encoder(), open_session(bundle.model)
    try:
        require_columns(pl.read_parquet_schema(input), schema.input_names)
        frame = pl.read_parquet(input, columns=list(schema.input_names))
        numbers = [field.name for field in schema.fields if field.kind == "numeric"]
        require_numbers(frame, [*numbers, *(vector.name for vector in schema.vectors if vector.width == 1)])
        columns = dict.fromkeys(schema.task_names, pl.Float32)
        parts = [
            pl.DataFrame(score(session, encode_inputs(chunk, encoder)), schema=columns)
            for chunk in (frame.iter_slices(ROWS) if frame.height else [frame])
        ]
    except UserError as error:
        raise UserError(f"input: {input}: {error}") from error
    except (pl.exceptions.PolarsError, OSError) as error:
        raise UserError(f"input: {input} cannot be read as Parquet: {str(error).splitlines()[0]}") from error
    with new_file(output) as temporary:
        pl.concat(parts).write_parquet(temporary)


def require_numbers(frame: pl.DataFrame, names: Sequence[str]) -> None:
    """`UserError` naming the column and the first row (from 1) where a text is neither a number nor empty.

    The encoder reads such a cell as missing, so a file whose columns were mixed up would get scores all the same.
    """
    for name in names:
        if not isinstance(frame.schema[name], pl.String | pl.Categorical | pl.Enum):
            continue
        text = frame[name].cast(pl.String)
        wrong = text.cast(pl.Float64, strict=False).is_null() & text.is_not_null() & (text != "")
        row = wrong.arg_max() if wrong.any() else None
        if row is not None:
            raise UserError(
                f"column {name!r} holds {shown(text[row])} in row {row + 1:,}: a number or nothing is allowed"
            )
