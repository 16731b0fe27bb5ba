"""Towers: linear layers with ReLU and dropout between them."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from autocompress.models.dropout import Dropout


def tower(width: int, widths: Sequence[int], dropout: float) -> nn.Sequential:
    """float32 (n, width) -> (n, widths[-1]); the input itself where there are no widths."""
    layers: list[nn.Module] = []
    for hidden in widths:
        layers += [nn.Linear(width, hidden), nn.ReLU(), Dropout(dropout)]
        width = hidden
    return nn.Sequential(*layers)


def stream(width: int, widths: Sequence[int], dropout: float) -> nn.Sequential:
    """As `tower`, but the last layer (there is one) is followed by nothing: what it gives is to be multiplied."""
    return nn.Sequential(*tower(width, widths[:-1], dropout), nn.Linear((width, *widths)[-2], widths[-1]))


def last_layer(name: str, widths: Sequence[int]) -> tuple[str, ...]:
    """Name of the last linear layer of the tower or stream `name`; none of an empty one."""
    return (f"{name}.{3 * (len(widths) - 1)}",) if widths else ()


def inherit_tower(old: nn.Sequential, new: nn.Sequential, columns: list[int]) -> list[int]:
    """Copies the strongest units of each layer of `old`; returns the last layer's chosen units.

    `columns` are the old input's columns that the new one reads. A unit's strength is the norm of its weights in times
    that of its weights out, where the next layer is in the tower. `ValueError` where `new` is larger.
    """
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
