"""A schema as YAML that a person reads and changes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from autocompress.errors import UserError, nearest
from autocompress.schema import Field, Schema, Sequence, Task, Vector
from autocompress.storage import new_file

_PARTS: dict[str, type[BaseModel]] = {"fields": Field, "tasks": Task, "sequences": Sequence, "vectors": Vector}


def schema_yaml(schema: Schema) -> str:
    """The schema without what is default, one line per input."""
    plain = schema.model_dump(mode="json", exclude_defaults=True)
    text: str = yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, default_flow_style=None, width=10**6)
    return text


def write_yaml(schema: Schema, path: Path, comments: Iterable[str] = ()) -> None:
    """Writes `comments` and the schema, whole or not at all; `read_yaml` gives the schema back."""
    head = "".join(f"# {' '.join(line.split())}\n" for line in comments)
    with new_file(path) as temporary:
        temporary.write_text(head + schema_yaml(schema), encoding="utf-8")


def read_yaml(path: Path) -> Schema:
    """The schema in a file. `UserError` names file, key and the nearest where it is none."""
    try:
        plain = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"data.schema={path}: {error.strerror or error}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"data.schema: {path} is no YAML: {' '.join(str(error).split())}") from error
    if not isinstance(plain, dict):
        raise UserError(f"data.schema: {path} holds no keys: allowed are {', '.join(Schema.model_fields)}")
    try:
        return Schema.model_validate(plain)
    except ValidationError as error:
        raise UserError(f"data.schema: {path}: {_first_fault(error)}") from error


def require_columns_of(schema: Schema, columns: list[str], path: Path) -> None:
    """`UserError` naming file, column and the nearest where the schema names a column that is absent."""
    for name in (*schema.input_names, *schema.labels, *schema.keys):
        if name not in columns:
            raise UserError(
                f"data.schema: {path} names {name!r}: the files have no such column{nearest(name, columns)}"
            )


def _first_fault(error: ValidationError) -> str:
    fault: Any = sorted(error.errors(include_url=False), key=lambda each: each["type"] != "extra_forbidden")[0]
    where = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        model = _PARTS.get(str(fault["loc"][0]), Schema) if len(fault["loc"]) > 1 else Schema
        known = list(model.model_fields)
        return f"{where}: unknown key; allowed: {', '.join(known)}{nearest(str(fault['loc'][-1]), known)}"
    reason = fault["msg"].removeprefix("Value error, ")
    return f"{where}: {reason}" if where else reason
