"""A student of a narrower shape that starts from the teacher's weights: slices by importance, SVD, a refitted head."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import nn

from autocompress.compress.transform import Context
from autocompress.digest import json_digest
from autocompress.models.embedding import EmbeddingBank
from autocompress.models.heads.head import HeadPart, inherit_linear
from autocompress.models.recommender import Recommender, bank_layout, with_bank
from autocompress.models.shape import DensePart, Shape

RIDGE = 1e-3
"""Of the head's refit, as a share of the mean feature energy."""
Heads = dict[str, tuple[torch.Tensor, torch.Tensor]]
"""Weight and bias of the heads that were refitted, by the digest of the shape."""


def inherit(
    teacher: Recommender,
    shape: Shape,
    context: Context,
    logits: torch.Tensor | None = None,
    energies: Sequence[torch.Tensor] | None = None,
    heads: Heads | None = None,
) -> Recommender:
    """A model of `shape` in eval mode, as near to `teacher` as slices of its weights come.

    Embedding dimensions of a field are chosen by energy (frequency x squared value) times the weights that read them,
    tower units by the norm of their weights, cross layers are the first ones, low ranks come from an SVD. Where
    anything was cut, a linear head is refitted to the teacher's logits on `context.ids` by ridge regression (`logits`,
    float32 (n, tasks), where somebody has them already, and so `energies`; `heads` are found there, and left there
    for the next student of the shape); a head with towers of its own takes over the weights of the features that stay,
    where it reads the same ones.

    Raises `ValueError` where `shape` is larger than the teacher in any direction: nothing to inherit there.
    """
    student = with_bank(
        shape, context.schema, EmbeddingBank(bank_layout(shape, context.schema, teacher.bank.layout.rows))
    )
    with torch.no_grad():
        known = dimension_energies(teacher, context) if energies is None else energies
        columns, dims = _inherit_tables(teacher, student, context, known, aligned=shape.aligned)
        features = cast(DensePart, student.dense).inherit(teacher.dense, columns, dims)
        head, old_head = student.dense.get_submodule("head"), teacher.dense.get_submodule("head")
        if features is not None:
            if isinstance(head, nn.Linear):
                inherit_linear(old_head, head, features)
            else:
                cast(HeadPart, head).inherit(old_head, features)
        if isinstance(head, nn.Linear) and _widths(teacher.dense) != _widths(student.dense):
            known_heads = {} if heads is None else heads
            known_as = json_digest(shape.model_dump(mode="json"))
            if known_as not in known_heads:
                wanted = teacher.eval()(context.ids, context.numbers) if logits is None else logits
                known_heads[known_as] = _refitted_head(student, head, context, wanted)
            weight, bias = known_heads[known_as]
            head.weight.copy_(weight)
            head.bias.copy_(bias)
    return student.eval()


@torch.no_grad()
def dimension_energies(teacher: Recommender, context: Context) -> list[torch.Tensor]:
    """Of each table, float32 (dimensions,): frequency x squared value, times the weights that read them."""
    readers = [m.weight for m in teacher.dense.modules() if isinstance(m, nn.Linear)]
    # a model of whole lists reads no vector directly: then every dimension counts alike
    squares = [weight.square().sum(0) for weight in readers if weight.shape[1] == teacher.bank.layout.width]
    reads = torch.stack(squares).sum(0) if squares else torch.ones(teacher.bank.layout.width)
    energies = []
    for index, vectors in enumerate(_readers(teacher.bank)):
        table = teacher.bank.table(index)
        frequency = torch.from_numpy(context.counts[index]).float()[: len(table)]
        energies.append((frequency[:, None] * table.square()).sum(0) * sum(reads[columns] for columns in vectors))
    return energies


def _inherit_tables(
    teacher: Recommender, student: Recommender, context: Context, energies: Sequence[torch.Tensor], *, aligned: bool
) -> tuple[list[int], list[int] | None]:
    """Copies the chosen dimensions; returns the teacher's input columns in the student's column order, and the
    dimensions where they are the same for every field."""
    old, new = teacher.bank, student.bank
    for name, have, want in zip(context.schema.tables, old.layout.dims, new.layout.dims, strict=True):
        if want > have:
            raise ValueError(f"embedding_dim {want} of {name} exceeds the teacher's {have}")
    dims = _strongest(torch.stack(list(energies)).sum(0), new.layout.dims[0]) if aligned else None
    kept = [dims or _strongest(energy, new.layout.dims[index]) for index, energy in enumerate(energies)]
    for index, chosen in enumerate(kept):
        new.table(index).copy_(old.table(index)[:, chosen])
    return columns_kept(old, new, kept), dims


def columns_kept(old: EmbeddingBank, new: EmbeddingBank, kept: list[list[int]]) -> list[int]:
    """The columns of the wider bank's output that the narrower one still has, in its order, where of each table the
    dimensions `kept` stay."""
    columns: dict[int, int] = dict(zip(new.layout.rest(), old.layout.rest(), strict=True))
    for theirs, mine, chosen in zip(_readers(old), _readers(new), kept, strict=True):
        for source, target in zip(theirs, mine, strict=True):
            columns |= {column: source[dim] for column, dim in zip(target, chosen, strict=True)}
    return [columns[column] for column in range(new.layout.width)]


def _readers(bank: EmbeddingBank) -> list[list[list[int]]]:
    """Per table, the output columns of every vector that comes from it: a field, the mean of a list, or an entry."""
    found: list[list[list[int]]] = [[] for _ in bank.layout.rows]
    for field, columns in enumerate(bank.layout.columns()):
        found[field].append(columns)
    for each, columns in zip(bank.layout.lists, bank.layout.list_columns(), strict=True):
        dim = bank.layout.dims[each.table]
        found[each.table] += [columns[start : start + dim] for start in range(0, len(columns), dim)]
    return found


def _widths(dense: nn.Module) -> dict[str, torch.Size]:
    return {name: value.shape for name, value in dense.state_dict().items()}


def _strongest(energy: torch.Tensor, count: int) -> list[int]:
    return sorted(energy.topk(count).indices.tolist())


def _refitted_head(
    student: Recommender, head: nn.Linear, context: Context, wanted: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    features: list[torch.Tensor] = []
    hook = head.register_forward_pre_hook(lambda _, inputs: features.append(inputs[0]))
    student.eval()(context.ids, context.numbers)
    hook.remove()
    design = torch.cat([features[0], torch.ones(len(wanted), 1)], dim=1)
    gram = (design.T @ design).double()
    gram.diagonal().add_(RIDGE * gram.diagonal().mean())
    solution = torch.linalg.solve(gram, (design.T @ wanted).double()).float()
    return solution[:-1].T, solution[-1]
