"""`python -m autocompress rows [overrides] [split=test] output=F.parquet`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from autocompress.cli.keys import read_keys
from autocompress.errors import UserError


class RowsKeys(BaseModel):
    """What `rows` adds to the overrides of the search."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    split: Literal["train", "valid", "test"] = "test"
    output: Path


def run(items: Sequence[str]) -> int:
    """Write the rows of one split and print what was found of the data; raises UserError for bad input."""
    own = [item for item in items if item.partition("=")[0] in RowsKeys.model_fields]
    from autocompress.config.compose import compose

    configs = compose([item for item in items if item not in own])
    if not configs:
        return 0
    if len(configs) > 1:
        raise UserError("-m: rows writes one file, from one config")
    keys = read_keys(own, RowsKeys)
    from autocompress.data.rows import write_rows

    config = configs[0]
    write_rows(config.data, config.cleaning, config.cache.expanduser(), keys.split, keys.output, _say)
    return 0


def _say(line: str) -> None:
    print(line, flush=True)
