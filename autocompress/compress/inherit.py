"""A student of a narrower shape that starts from the teacher's weights: slices by importance, SVD, a refitted head."""

from __future__ import annotations

import torch
from torch import nn

from autocompress.compress.transform import Context
from autocompress.models.cross import CrossLayer
from autocompress.models.dcnv2 import Dense, Recommender, build
from autocompress.models.shape import ModelShape

RIDGE = 1e-3
"""Of the head's refit, as a share of the mean feature energy."""


def inherit(teacher: Recommender, shape: ModelShape, context: Context) -> Recommender:
    """A model of `shape`, as near to `teacher` as slices of its weights come.

    Embedding dimensions of a field are chosen by energy (frequency x squared value) times the weights that read them,
    tower units by the norm of their weights, cross layers are the first ones, low ranks come from an SVD. Where
    anything was cut, the head is refitted to the teacher's logits on `context.ids` by ridge regression.

    Raises `ValueError` where `shape` is larger than the teacher in any direction: nothing to inherit there.
    """
    student = build(shape, context.schema.field_names, teacher.bank.rows, len(context.schema.tasks))
    source, target = teacher.dense, student.dense
    assert isinstance(source, Dense)
    assert isinstance(target, Dense)
    with torch.no_grad():
        columns = _inherit_tables(teacher, student, context)
        if len(target.cross) > len(source.cross):
            raise ValueError(f"cross_layers {len(target.cross)} is more than the teacher's {len(source.cross)}")
        for old, new in zip(source.cross, target.cross, strict=False):
            assert isinstance(old, CrossLayer)
            assert isinstance(new, CrossLayer)
            _inherit_cross(old, new, columns)
        units = _inherit_tower(source.tower, target.tower, columns)
        same_depth = len(target.tower) == len(source.tower) and bool(len(target.cross)) == bool(len(source.cross))
        if same_depth:
            first = teacher.bank.width if len(source.cross) else 0
            tower_columns = [first + unit for unit in units] if len(source.tower) else []
            target.head.weight.copy_(source.head.weight[:, (columns if first else []) + tower_columns])
            target.head.bias.copy_(source.head.bias)
        shapes = [{name: value.shape for name, value in dense.state_dict().items()} for dense in (source, target)]
        if shapes[0] != shapes[1]:
            _refit_head(teacher, student, context.ids)
    return student


def _inherit_tables(teacher: Recommender, student: Recommender, context: Context) -> list[int]:
    """Copies the chosen dimensions; returns the teacher's input columns in the student's column order."""
    assert isinstance(teacher.dense, Dense)
    readers = [m.weight for m in teacher.dense.modules() if isinstance(m, nn.Linear)]
    reads = sum(
        (weight.square().sum(0) for weight in readers if weight.shape[1] == teacher.bank.width),
        torch.zeros(teacher.bank.width),
    )
    columns: dict[int, int] = {}
    for field, (old_columns, new_columns) in enumerate(
        zip(teacher.bank.columns(), student.bank.columns(), strict=True)
    ):
        if len(new_columns) > len(old_columns):
            name = context.schema.field_names[field]
            raise ValueError(f"embedding_dim {len(new_columns)} of {name} exceeds the teacher's {len(old_columns)}")
        table = teacher.bank.table(field)
        frequency = torch.from_numpy(context.counts[field]).float()[: len(table), None]
        energy = (frequency * table.square()).sum(0) * reads[old_columns]
        chosen = sorted(energy.topk(len(new_columns)).indices.tolist())
        student.bank.table(field).copy_(table[:, chosen])
        columns |= {new: old_columns[index] for new, index in zip(new_columns, chosen, strict=True)}
    return [columns[new] for new in range(student.bank.width)]


def _inherit_cross(old: CrossLayer, new: CrossLayer, columns: list[int]) -> None:
    weight = old.up.weight if isinstance(old.down, nn.Identity) else old.up.weight @ _weight(old.down)
    weight = weight[columns][:, columns]
    new.up.bias.copy_(old.up.bias[columns])
    if isinstance(new.down, nn.Identity):
        new.up.weight.copy_(weight)
        return
    left, scale, right = torch.linalg.svd(weight, full_matrices=False)
    rank = min(len(_weight(new.down)), len(scale))
    root = scale[:rank].sqrt()
    new.up.weight.zero_()
    new.up.weight[:, :rank] = left[:, :rank] * root
    _weight(new.down)[:rank] = root[:, None] * right[:rank]


def _weight(module: nn.Module) -> torch.Tensor:
    assert isinstance(module, nn.Linear)
    return module.weight


def _inherit_tower(old: nn.Sequential, new: nn.Sequential, columns: list[int]) -> list[int]:
    """Copies the strongest units of each layer; returns the last layer's chosen units."""
    old_layers = [m for m in old if isinstance(m, nn.Linear)]
    new_layers = [m for m in new if isinstance(m, nn.Linear)]
    if len(new_layers) > len(old_layers):
        raise ValueError(f"tower has {len(new_layers)} layers, the teacher's {len(old_layers)}")
    inputs, units = columns, columns
    for index, (source, target) in enumerate(zip(old_layers, new_layers, strict=False)):
        if target.out_features > source.out_features:
            raise ValueError(f"tower width {target.out_features} is more than the teacher's {source.out_features}")
        strength = source.weight[:, inputs].square().sum(1)
        if index + 1 < len(old_layers):
            strength = strength * old_layers[index + 1].weight.square().sum(0)
        units = sorted(strength.topk(target.out_features).indices.tolist())
        target.weight.copy_(source.weight[units][:, inputs])
        target.bias.copy_(source.bias[units])
        inputs = units
    return units


def _refit_head(teacher: Recommender, student: Recommender, ids: torch.Tensor) -> None:
    features: list[torch.Tensor] = []
    head = student.dense.get_submodule("head")
    assert isinstance(head, nn.Linear)
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
