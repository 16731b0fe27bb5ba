"""`python -m autocompress predict artefact=DIR input=F.parquet output=G.parquet`."""

from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from autocompress.cli.keys import read_keys


class PredictKeys(BaseModel):
    """The keys of `predict`, all of them required."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    artefact: Path
    input: Path
    output: Path


def run(items: Sequence[str]) -> int:
    """Score the rows of a file with one artefact; raises UserError for bad input. Imports neither torch nor Hydra."""
    keys = read_keys(items, PredictKeys)
    from autocompress.measure.predict import predict

    predict(keys.artefact, keys.input, keys.output)
    return 0
