"""`python -m autocompress measure artefact=DIR`."""

from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from autocompress.cli.keys import read_keys


class MeasureKeys(BaseModel):
    """The key of `measure`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    artefact: Path


def run(items: Sequence[str]) -> int:
    """Measure one artefact again; raises UserError for bad input. Imports neither torch nor Hydra."""
    keys = read_keys(items, MeasureKeys)
    from autocompress.measure.remeasure import remeasure

    return remeasure(keys.artefact)
