"""Batch norms folded into the linear layers beside them: what is left is one layer, with nothing but its weights.

Jacob et al., CVPR 2018, section 3.2. A norm behind a linear layer, or before one, is found by tracing the module; where
it cannot be traced (it decides by its values), or the layer is read by others too, the norm stays.
"""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.fx import GraphModule, Node, symbolic_trace
from torch.nn.utils.fusion import fuse_linear_bn_eval


def without_batch_norms(dense: nn.Module) -> nn.Module:
    """A copy in eval mode whose norms are folded where they can be; the module itself where it has none."""
    if not any(isinstance(module, nn.BatchNorm1d) for module in dense.modules()):
        return dense
    folded = copy.deepcopy(dense).eval()
    traced = _traced(folded)
    calls = [] if traced is None else [node for node in traced.graph.nodes if node.op == "call_module"]
    targets = [node.target for node in calls]
    for node in calls:
        norm = folded.get_submodule(str(node.target))
        if not isinstance(norm, nn.BatchNorm1d) or targets.count(node.target) > 1:
            continue
        if (before := _only(node.all_input_nodes, targets)) and _is_linear(folded, before):
            layer = folded.get_submodule(str(before.target))
            assert isinstance(layer, nn.Linear)
            _replace(folded, str(before.target), fuse_linear_bn_eval(layer, norm))
        elif (behind := _only(node.users, targets)) and _is_linear(folded, behind):
            layer = folded.get_submodule(str(behind.target))
            assert isinstance(layer, nn.Linear)
            _replace(folded, str(behind.target), _after_norm(norm, layer))
        else:
            continue
        _replace(folded, str(node.target), nn.Identity())
    return folded.train(dense.training)


def _traced(module: nn.Module) -> GraphModule | None:
    try:
        return symbolic_trace(module)
    except Exception:  # torch.fx raises whatever the module does with a stand-in for its values
        return None


def _only(nodes: object, targets: list[object]) -> Node | None:
    """The one node, where it is one, nothing else reads it, and its module is called once."""
    listed = list(nodes)  # type: ignore[call-overload]
    if len(listed) != 1 or not isinstance(listed[0], Node):
        return None
    (node,) = listed
    return node if len(node.users) <= 1 and len(node.all_input_nodes) == 1 and targets.count(node.target) == 1 else None


def _is_linear(module: nn.Module, node: Node) -> bool:
    return node.op == "call_module" and type(module.get_submodule(str(node.target))) is nn.Linear


@torch.no_grad()
def _after_norm(norm: nn.BatchNorm1d, layer: nn.Linear) -> nn.Linear:
    assert norm.running_var is not None
    assert norm.running_mean is not None
    scale = (norm.running_var + norm.eps).rsqrt() * (1.0 if norm.weight is None else norm.weight)
    shift = (0.0 if norm.bias is None else norm.bias) - norm.running_mean * scale
    folded = nn.Linear(layer.in_features, layer.out_features)
    folded.weight.copy_(layer.weight * scale)
    folded.bias.copy_(layer.weight @ shift + (0.0 if layer.bias is None else layer.bias))
    return folded


def _replace(module: nn.Module, name: str, new: nn.Module) -> None:
    parent, _, leaf = name.rpartition(".")
    setattr(module.get_submodule(parent), leaf, new)
