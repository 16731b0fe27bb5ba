"""Members of a family that a person may name, `study.sampler=tpe`, or give as a map with their knobs."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic_core import PydanticCustomError

from autocompress import family
from autocompress.schema import Frozen


def named(package: str, value: object) -> Frozen:
    """A member of a family from its name or its map (or the member itself); pydantic's errors name the known ones."""
    known = list(family.members(package))
    expected = ", ".join(repr(name) for name in known)
    if isinstance(value, str) and value in known:
        return family.parse(package, {"kind": value})
    if not isinstance(value, Mapping | Frozen):
        raise PydanticCustomError("literal_error", "allowed: {expected}", {"expected": expected})
    return family.parse(package, value)
