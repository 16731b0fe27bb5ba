"""Families of configured models found on disk: one module, one member, told apart by its `kind`."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from typing import get_args

from autocompress.errors import nearest
from autocompress.schema import Frozen


@cache
def members(package: str) -> Mapping[str, type[Frozen]]:
    """Kind -> model class of every module directly inside `package` that defines a class with a `kind` literal.

    Modules are imported on the first call only. Raises `TypeError` where two members share a kind.
    """
    found: dict[str, type[Frozen]] = {}
    for module in pkgutil.iter_modules(importlib.import_module(package).__path__):
        for value in vars(importlib.import_module(f"{package}.{module.name}")).values():
            if isinstance(value, type) and issubclass(value, Frozen) and value.__module__ == f"{package}.{module.name}":
                if "kind" not in value.model_fields:
                    continue
                (kind,) = get_args(value.model_fields["kind"].annotation)
                if kind in found:
                    raise TypeError(f"{package} has two members of kind {kind!r}")
                found[kind] = value
    return dict(sorted(found.items()))


def parse(package: str, value: object) -> Frozen:
    """A member of the family from its JSON form (or the member itself).

    Raises `ValueError` naming the known kinds, with the nearest, where `kind` is missing or unknown; pydantic's
    `ValidationError` where a key or a value does not fit.
    """
    known = members(package)
    if isinstance(value, Frozen) and type(value) in known.values():
        return value
    kind = value.get("kind") if isinstance(value, Mapping) else None
    if kind not in known:
        raise ValueError(f"kind {kind!r} is unknown: allowed are {', '.join(known)}{nearest(str(kind), list(known))}")
    return known[str(kind)].model_validate(value)
