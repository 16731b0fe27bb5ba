"""Where the entries of whole lists stand in what an embedding bank gives, and what is made of them."""

from __future__ import annotations

from typing import NamedTuple

import torch

from autocompress.schema import Schema


class ListPlace(NamedTuple):
    """`start` and `marks`: first column of the entries, and of what tells them from padding; `target`: the field whose
    ids the list shares."""

    start: int
    marks: int
    length: int
    target: int | None


def list_places(schema: Schema, dim: int) -> tuple[ListPlace, ...]:
    """Of each list of the schema, all tables having `dim` dimensions and the bank giving lists whole."""
    start = len(schema.fields) * dim
    marks = start + sum(each.length for each in schema.sequences) * dim
    places = []
    for each in schema.sequences:
        target = None if each.shares is None else schema.field_names.index(each.shares)
        places.append(ListPlace(start, marks, each.length, target))
        start, marks = start + each.length * dim, marks + each.length
    return tuple(places)


def entries_of(first: torch.Tensor, place: ListPlace, dim: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Entries (n, length, dim), zeros where there is none, and (n, length): 1 where there is one."""
    entries = first[:, place.start : place.start + place.length * dim].reshape(-1, place.length, dim)
    return entries, first[:, place.marks : place.marks + place.length]


def mean_of(entries: torch.Tensor, there: torch.Tensor) -> torch.Tensor:
    """Mean over the entries that are there (n, dim); zeros where there is none."""
    return entries.sum(dim=1) / there.sum(dim=1, keepdim=True).clamp_min(1.0)
