"""A student of a narrower shape that starts from the teacher's weights: slices by importance, SVD, a refitted head."""

from __future__ import annotations

from typing import cast

import torch
from torch import nn

from autocompress.compress.transform import Context
from autocompress.models.heads.head import HeadPart, inherit_linear
from autocompress.models.recommender import Recommender, build
from autocompress.models.shape import DensePart, Shape

RIDGE = 1e-3
"""Of the head's refit, as a share of the mean feature energy."""


def inherit(teacher: Recommender, shape: Shape, context: Context) -> Recommender:
    """A model of `shape`, as near to `teacher` as slices of its weights come.

    Embedding dimensions of a field are chosen by energy (frequency x squared value) times the weights that read them,
    tower units by the norm of their weights, cross layers are the first ones, low ranks come from an SVD. Where
    anything was cut, a linear head is refitted to the teacher's logits on `context.ids` by ridge regression; a head
    with towers of its own takes over the weights of the features that stay, where it reads the same ones.

    Raises `ValueError` where `shape` is larger than the teacher in any direction: nothing to inherit there.
    """
    student = build(shape, context.schema, teacher.bank.rows)
    with torch.no_grad():
        columns, dims = _inherit_tables(teacher, student, context, aligned=shape.aligned)
        features = cast(DensePart, student.dense).inherit(teacher.dense, columns, dims)
        head, old_head = student.dense.get_submodule("head"), teacher.dense.get_submodule("head")
        if features is not None:
            if isinstance(head, nn.Linear):
                inherit_linear(old_head, head, features)
            else:
                cast(HeadPart, head).inherit(old_head, features)
        if isinstance(head, nn.Linear) and _widths(teacher.dense) != _widths(student.dense):
            _refit_head(teacher, student, head, context.ids)
    return student


def _inherit_tables(
    teacher: Recommender, student: Recommender, context: Context, *, aligned: bool
) -> tuple[list[int], list[int] | None]:
    """Copies the chosen dimensions; returns the teacher's input columns in the student's column order, and the
    dimensions where they are the same for every field."""
    readers = [m.weight for m in teacher.dense.modules() if isinstance(m, nn.Linear)]
    reads = sum(
        (weight.square().sum(0) for weight in readers if weight.shape[1] == teacher.bank.width),
        torch.zeros(teacher.bank.width),
    )
    old_columns, new_columns = teacher.bank.columns(), student.bank.columns()
    energies = []
    for field, old in enumerate(old_columns):
        if len(new_columns[field]) > len(old):
            name = context.schema.field_names[field]
            raise ValueError(f"embedding_dim {len(new_columns[field])} of {name} exceeds the teacher's {len(old)}")
        table = teacher.bank.table(field)
        frequency = torch.from_numpy(context.counts[field]).float()[: len(table), None]
        energies.append((frequency * table.square()).sum(0) * reads[old])
    dims = _strongest(torch.stack(energies).sum(0), student.bank.dims[0]) if aligned else None
    columns: dict[int, int] = {}
    for field, (old, new) in enumerate(zip(old_columns, new_columns, strict=True)):
        chosen = dims if dims is not None else _strongest(energies[field], len(new))
        student.bank.table(field).copy_(teacher.bank.table(field)[:, chosen])
        columns |= {column: old[index] for column, index in zip(new, chosen, strict=True)}
    return [columns[new] for new in range(student.bank.width)], dims


def _widths(dense: nn.Module) -> dict[str, torch.Size]:
    return {name: value.shape for name, value in dense.state_dict().items()}


def _strongest(energy: torch.Tensor, count: int) -> list[int]:
    return sorted(energy.topk(count).indices.tolist())


def _refit_head(teacher: Recommender, student: Recommender, head: nn.Linear, ids: torch.Tensor) -> None:
    features: list[torch.Tensor] = []
    hook = head.register_forward_pre_hook(lambda _, inputs: features.append(inputs[0]))
    teacher.eval()
    student.eval()
    student(ids)
    hook.remove()
    wanted = teacher(ids)
    design = torch.cat([features[0], torch.ones(len(ids), 1)], dim=1).double()
    gram = design.T @ design
    gram.diagonal().add_(RIDGE * gram.diagonal().mean())
    solution = torch.linalg.solve(gram, design.T @ wanted.double()).float()
    head.weight.copy_(solution[:-1].T)
    head.bias.copy_(solution[-1])
