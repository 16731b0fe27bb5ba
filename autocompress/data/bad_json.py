"""What is wrong with a file of JSON lines: file, column and row; slowly, after Polars refused it or to explain."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import polars as pl

from autocompress.data.bad_text import ESCAPED, readable, text_of

_LOOKED_AT = 1_000
Fault = tuple[str | None, int, Any, str]
"""Column (None: the whole line), row (of a line: line) from 1, the value, and what is wrong with it."""


def first_fault(path: str, types: Mapping[str, pl.DataType]) -> Fault | None:
    """The first line that is no JSON object in UTF-8, or value that fits neither `types` nor those before it."""
    shapes: dict[str, str] = {}
    for row, (number, line, value) in enumerate(_objects(path), 1):
        if value is None:
            return None, number, readable(line), "is not UTF-8" if ESCAPED.search(line) else "has no JSON object"
        for name, each in value.items():
            if not line.isascii() and ESCAPED.search(name + json.dumps(each, ensure_ascii=False)):
                return name, row, readable(str(each)), "it is not UTF-8"
            if each is None:
                continue
            if name in types and not _fits(each, types[name]):
                return name, row, each, f"its other values are {types[name]}"
            shape = shapes.setdefault(name, _shape(each))
            if name not in types and _shape(each) != shape:
                return name, row, each, f"the first one is {shape}"
    return None


def holds_numbers(path: str, column: str) -> bool:
    """Whether one of the first values of a column is a number, and not a text that looks like one."""
    values = (value.get(column) for _, _, value in islice(_objects(path), _LOOKED_AT) if value is not None)
    return any(isinstance(value, int | float) for value in values)


def _objects(path: str) -> Iterator[tuple[int, str, dict[str, Any] | None]]:
    """Number and text of every line that is not empty, and the object in it; None where there is none."""
    with text_of(path) as stream:
        for number, line in enumerate(stream, 1):
            if line.strip():
                try:
                    value = json.loads(line)
                except ValueError:
                    value = None
                yield number, line.strip(), value if isinstance(value, dict) else None


def _shape(value: Any) -> str:
    named = ((list, "a list"), (dict, "an object"), (bool, "true or false"))
    return next((name for kind, name in named if isinstance(value, kind)), "a value")


def _fits(value: Any, dtype: pl.DataType) -> bool:
    if value is None:
        return True
    if isinstance(dtype, pl.List):
        inner = dtype.inner() if isinstance(dtype.inner, type) else dtype.inner
        return isinstance(value, list) and all(_fits(each, inner) for each in value)
    if isinstance(value, bool) or dtype == pl.Boolean:
        return isinstance(value, bool) and (dtype == pl.Boolean or not dtype.is_numeric())
    if dtype.is_integer():
        return isinstance(value, int) and -(2**63) <= value < 2**63
    return not dtype.is_numeric() or isinstance(value, int | float)
