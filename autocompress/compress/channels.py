"""Channels removed from dense layers, through Torch-Pruning's dependency graph (Fang et al., CVPR 2023).

A channel is an output of a linear layer: a tower unit, or one rank of a low-rank cross layer. Layers whose outputs
cannot go (a cross layer's way back to the input's width) are found by trying. Every width that should
result is asserted, because the graph can pass over a layer in silence.
"""

from __future__ import annotations

import copy
from typing import ClassVar, Literal

import torch
import torch_pruning as tp
from pydantic import Field as Limits
from torch import nn

from autocompress.compress.linear_layers import loss_gradients
from autocompress.compress.transform import Context, Record
from autocompress.models.heads.head import gives_logits
from autocompress.models.recommender import Recommender
from autocompress.schema import Frozen

MULTIPLE = 8
"""Widths are rounded to it: vector instructions work on 8 or 16 numbers at a time."""


class Channels(Frozen):
    """Removes the `ratio` least important channels.

    `importance` of a channel: `magnitude` sums the squares of its weights in and out, `gradient` sums |gradient x
    weight| over them (Molchanov et al., CVPR 2019), `activation` is its mean absolute output times the norm of the
    weights that read it. `scope` compares channels inside a layer, or over all layers after dividing by the layer's
    mean.
    """

    kind: Literal["channels"] = "channels"
    follows: ClassVar[frozenset[str]] = frozenset(
        {"rows", "hashing", "fields", "dimensions", "channels", "quantize_tables"}
    )
    ratio: float = Limits(ge=0.0, lt=1.0)
    importance: Literal["magnitude", "gradient", "activation"] = "magnitude"
    scope: Literal["layer", "global"] = "layer"

    def apply(self, model: Recommender, context: Context) -> Record:
        """Record: `kept`, {layer: kept output channels, ascending} of every prunable layer."""
        scores = _scores(model, context, self.importance, prunable_layers(model.dense, model.bank.layout.width))
        record: Record = {"kept": _choose(scores, self.ratio, self.scope)}
        self.restore(model, record)
        return record

    def restore(self, model: Recommender, record: Record) -> None:
        """Removes every channel that is not recorded; `RuntimeError` where a layer does not get its width."""
        was_training = model.dense.training
        graph = None
        for name, kept in record["kept"].items():
            layer = _linear(model.dense, name)
            if gone := sorted(set(range(layer.out_features)) - set(kept)):
                graph = graph or _graph(model.dense, model.bank.layout.width)
                _remove(graph, layer, gone)
            if _linear(model.dense, name).out_features != len(kept):
                raise RuntimeError(f"{name} has {_linear(model.dense, name).out_features} channels, not {len(kept)}")
        model.dense.train(was_training)

    def in_steps(self, several: int) -> tuple[Channels, ...]:
        """So many times the same share of what is left."""
        return (self.model_copy(update={"ratio": 1.0 - (1.0 - self.ratio) ** (1 / several)}),) * several

    def keeps(self) -> str | None:
        """Share of channels."""
        return f"{100 * (1 - self.ratio):.3g} % of channels" if self.ratio else None

    def storage_bits(self) -> int | None:
        """Nothing is quantized."""
        return None


_PRUNABLE: dict[tuple[str, int], list[str]] = {}
"""By architecture and width of the input: every layer is tried on a copy, and a study has few architectures."""


def prunable_layers(dense: nn.Module, width: int) -> list[str]:
    """Linear layers of which a copy can lose an output while the input's and the output's widths stay.

    Not asked are `fixed_layers` that the dense part names: Torch-Pruning takes minutes to look through the reshapes of
    an attention or a product beside or behind them.
    """
    constants = [getattr(module, "graph_constants", "") for module in dense.modules()]
    key = f"{dense}{constants}", width
    if key not in _PRUNABLE:
        _PRUNABLE[key] = _tried(dense, width)
    return list(_PRUNABLE[key])


def _tried(dense: nn.Module, width: int) -> list[str]:
    example = torch.zeros(2, width)
    shape = dense(example).shape
    names: list[str] = []
    fixed = getattr(dense, "fixed_layers", ())
    for name, module in dense.named_modules():
        if not isinstance(module, nn.Linear) or module.out_features < 2 or gives_logits(name) or name in fixed:
            continue
        trial = copy.deepcopy(dense)
        try:
            _remove(_graph(trial, width), _linear(trial, name), [0])
            narrower = _linear(trial, name).out_features == module.out_features - 1
            if narrower and trial(example).shape == shape:
                names.append(name)
        except RuntimeError:  # torch: the widths no longer fit, so this layer is tied to the input
            continue
    return names


def _linear(dense: nn.Module, name: str) -> nn.Linear:
    module = dense.get_submodule(name)
    assert isinstance(module, nn.Linear)
    return module


def _remove(graph: tp.DependencyGraph, layer: nn.Linear, channels: list[int]) -> None:
    graph.get_pruning_group(layer, tp.prune_linear_out_channels, idxs=channels).prune()


def _graph(dense: nn.Module, width: int) -> tp.DependencyGraph:
    """Parameters that belong to no linear layer (of attention, products, gates) are told apart, and never pruned."""
    linear = {id(p) for module in dense.modules() if isinstance(module, nn.Linear) for p in module.parameters()}
    others = [parameter for parameter in dense.parameters() if id(parameter) not in linear]
    return tp.DependencyGraph().build_dependency(
        dense.eval(),
        example_inputs=torch.zeros(2, width),
        unwrapped_parameters=[(parameter, parameter.dim() - 1) for parameter in others],
        ignored_params=others,
    )


def _readers(graph: tp.DependencyGraph, layer: nn.Linear) -> list[tuple[nn.Linear, list[int]]]:
    """Linear layers that read the outputs of `layer`, with the input columns that are its channels, in order."""
    everything = list(range(layer.out_features))
    group = graph.get_pruning_group(layer, tp.prune_linear_out_channels, idxs=everything)
    return [
        (dependency.target.module, list(columns))
        for dependency, columns in group
        if isinstance(dependency.target.module, nn.Linear) and dependency.target.module is not layer
    ]


def _scores(model: Recommender, context: Context, importance: str, names: list[str]) -> dict[str, torch.Tensor]:
    dense = model.dense
    layer_names = {module: name for name, module in dense.named_modules()}
    activity: dict[str, torch.Tensor] = {}
    gradients = loss_gradients(model, context) if importance == "gradient" else {}
    if importance == "activation":
        activity = _mean_activity(model, context, names)

    def weighed(layer: nn.Linear) -> torch.Tensor:
        weight = layer.weight.detach()
        return weight * gradients[f"{layer_names[layer]}.weight"] if gradients else weight

    scores: dict[str, torch.Tensor] = {}
    graph = _graph(dense, model.bank.layout.width) if names else None
    for name in names:
        layer = _linear(dense, name)
        out = weighed(layer)
        score = out.abs().sum(1) if importance == "gradient" else out.square().sum(1)
        if importance == "activation":
            score = torch.zeros_like(score)
        for reader, columns in _readers(graph, layer):
            part = weighed(reader)[:, columns]
            if importance == "activation":
                score = score + activity[name] * part.norm(dim=0)
            else:
                score = score + (part.abs() if importance == "gradient" else part.square()).sum(0)
        scores[name] = score
    return scores


def _mean_activity(model: Recommender, context: Context, names: list[str]) -> dict[str, torch.Tensor]:
    """Mean |output| per channel; a ReLU behind the layer counts, because its readers see it."""
    seen: dict[str, torch.Tensor] = {}
    hooks = []
    for name in names:
        rectified = name.startswith("tower.")

        def remember(
            _: nn.Module, __: object, output: torch.Tensor, name: str = name, rectified: bool = rectified
        ) -> None:
            seen[name] = (output.relu() if rectified else output.abs()).mean(0)

        hooks.append(_linear(model.dense, name).register_forward_hook(remember))
    with torch.no_grad():
        model.dense(model.bank(context.ids, context.numbers))
    for hook in hooks:
        hook.remove()
    return seen


def _choose(scores: dict[str, torch.Tensor], ratio: float, scope: str) -> dict[str, list[int]]:
    relative = {name: score / score.mean().clamp_min(1e-12) for name, score in scores.items()}
    if not relative:
        return {}
    everything = torch.cat(list(relative.values()))
    threshold = everything.kthvalue(1 + int(ratio * len(everything))).values if scope == "global" else None
    kept = {}
    for name, score in relative.items():
        keep = len(score) * (1 - ratio) if threshold is None else float((score >= threshold).sum())
        width = min(len(score), max(min(MULTIPLE, len(score)), round(keep / MULTIPLE) * MULTIPLE))
        if len(score) - keep < abs(width - keep):  # a width that is no multiple is nearest to itself
            width = len(score)
        kept[name] = sorted(score.topk(width).indices.tolist())
    return kept
