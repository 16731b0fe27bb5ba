"""Families of configured models found on disk: one module, one member, told apart by its `kind`."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import get_args

from autocompress.errors import UserError, nearest
from autocompress.schema import Frozen


@cache
def members(package: str) -> Mapping[str, type[Frozen]]:
    """Kind -> model class of every module directly inside `package` that defines a class with a `kind` literal.

    Modules are imported on the first call only (and after `extend`). Raises `TypeError` where two members share a kind.
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


def extend(package: str, folder: Path, key: str) -> None:
    """Adds the modules of `folder` to a family; what they hold is run.

    `UserError` naming `key` where there is no such folder, a file has the name of one of ours, or cannot be imported.
    """
    if not folder.is_dir():
        raise UserError(f"{key}={folder}: there is no such folder")
    home = importlib.import_module(package).__path__
    if (place := str(folder.resolve())) in home:
        return
    ours = {module.name for module in pkgutil.iter_modules(home)}
    for module in pkgutil.iter_modules([place]):
        if module.name in ours:
            raise UserError(f"{key}={folder}: {module.name}.py has the name of a file of autocompress: rename it")
    home.append(place)
    members.cache_clear()
    try:
        members(package)
    except Exception as error:  # whatever somebody's file raises
        home.remove(place)
        raise UserError(f"{key}={folder}: cannot be imported: {type(error).__name__}: {error}") from error


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
