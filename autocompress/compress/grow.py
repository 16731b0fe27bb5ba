"""A wider model that computes what a narrower one does: new units listen from the start, and are heard by no old one.

Net2Net's promise (Chen et al., ICLR 2016) with weights of zero in place of copied units, so that new units differ.
"""

from __future__ import annotations

import copy
from typing import cast

import torch
from torch import nn

from autocompress.compress.inherit import columns_kept
from autocompress.compress.transform import Context
from autocompress.models.heads.head import HeadPart, inherit_linear
from autocompress.models.recommender import Recommender, build
from autocompress.models.shape import DensePart, Shape

NEAR = 1e-4
"""Of the logits' spread: how far rounding may take a grown model from what it was."""


def grown(model: Recommender, shape: Shape, context: Context) -> Recommender:
    """A model of the larger `shape`, whose first dimensions and some of whose units are those of `model`.

    Where each number of the narrow model belongs in the wide one is read off `inherit`, which knows the way back: it is
    asked to cut a model whose weights are their own addresses. `ValueError` where the two do not correspond, or where
    the result would not compute the same: products of dimensions or of outputs cannot be widened in silence.
    """
    wide = build(shape, context.schema, model.bank.layout.rows)
    with torch.no_grad():
        columns, dims = _tables(model, wide, aligned=shape.aligned)
        addresses = _addresses(model.dense, wide.dense, columns, dims)
        weights = dict(model.dense.named_parameters())
        start = 0
        for value in wide.dense.parameters():
            # numbers of one weight never lie in two
            mine = torch.zeros(value.numel(), dtype=torch.bool)
            for name, found in addresses.items():
                inside = (found >= start) & (found < start + value.numel())
                places = found[inside] - start
                mine[places] = True
                value.view(-1)[places] = weights[name].reshape(-1)[inside]
            mine = mine.view(value.shape)
            if value.ndim > 1:
                value[~mine & mine.any(dim=-1, keepdim=True)] = 0.0
            start += value.numel()
        wide.eval()
        model.eval()
        before, after = (each(context.ids, context.numbers) for each in (model, wide))
    if (before - after).abs().max() > NEAR * before.std().clamp_min(1.0):
        raise ValueError(f"a model of kind {shape.kind} cannot be widened to {shape.words()} without changing it")
    return wide


def _tables(model: Recommender, wide: Recommender, *, aligned: bool) -> tuple[list[int], list[int] | None]:
    """Copies the rows into the first dimensions; returns the wide input's columns that the narrow one reads."""
    kept = [list(range(dim)) for dim in model.bank.layout.dims]
    for index, dims in enumerate(kept):
        wide.bank.table(index)[:, : len(dims)] = model.bank.table(index)
    return columns_kept(wide.bank, model.bank, kept), kept[0] if aligned else None


def _addresses(
    narrow: nn.Module, wide: nn.Module, columns: list[int], dims: list[int] | None
) -> dict[str, torch.Tensor]:
    """Per parameter of `narrow`, flat, where its numbers stand among all of `wide`'s, which are counted in order."""
    source, target = copy.deepcopy(wide).double(), copy.deepcopy(narrow).double()
    total = 0
    for value in source.parameters():
        value.copy_(torch.arange(total, total + value.numel(), dtype=torch.float64).view(value.shape))
        total += value.numel()
    for value in target.parameters():
        value.fill_(-1.0)
    try:
        features = cast(DensePart, target).inherit(source, columns, dims)
        head, old_head = target.get_submodule("head"), source.get_submodule("head")
        if features is not None:
            if isinstance(head, nn.Linear):
                inherit_linear(old_head, head, features)
            else:
                cast(HeadPart, head).inherit(old_head, features)
    except RuntimeError as error:  # torch: shapes differ where a student's never do
        raise ValueError("the narrow model is no part of the wide one") from error
    found = {name: value.detach().reshape(-1) for name, value in target.named_parameters()}
    every = torch.cat(list(found.values()))
    if (every < 0).any() or (every != every.round()).any() or bool((every.sort().values.diff() == 0).any()):
        raise ValueError("the narrow model is no part of the wide one")
    return {name: value.long() for name, value in found.items()}
