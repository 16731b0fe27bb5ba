"""Batch norms folded into the linear layers beside them: what is left is one layer, with nothing but its weights.

Jacob et al., CVPR 2018, section 3.2. What stands beside a norm is seen by running the module. Whatever is folded must
leave the outputs as they were: a norm whose neighbour is read by others too stays.
"""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_linear_bn_eval

from autocompress.compress.linear_layers import put

ROWS, CLOSE = 64, 1e-4
"""Random rows on which both must agree, and to which share of the outputs' size."""


@torch.no_grad()
def without_batch_norms(dense: nn.Module, width: int) -> nn.Module:
    """A copy in eval mode whose norms are folded where they can be; the module itself where it has none.

    `width` is the number of columns that it reads.
    """
    if not any(_foldable(module) for module in dense.modules()):
        return dense
    folded = copy.deepcopy(dense).eval()
    example = torch.randn(ROWS, width, generator=torch.Generator().manual_seed(0))
    wanted = folded(example)
    for norm_name, layer_name, before in _neighbours(folded, example):
        norm, layer = folded.get_submodule(norm_name), folded.get_submodule(layer_name)
        assert isinstance(norm, nn.BatchNorm1d)
        assert isinstance(layer, nn.Linear)
        put(folded, layer_name, fuse_linear_bn_eval(layer, norm) if before else _after_norm(norm, layer))
        put(folded, norm_name, nn.Identity())
        if not torch.allclose(folded(example), wanted, rtol=CLOSE, atol=CLOSE * float(wanted.abs().max())):
            put(folded, layer_name, layer)
            put(folded, norm_name, norm)
    return folded.train(dense.training)


def _foldable(module: nn.Module) -> bool:
    """Norms that learn and remember; one of rows of fields (n, F, d) is no scale of a layer's outputs."""
    return isinstance(module, nn.BatchNorm1d) and module.affine and module.running_mean is not None


def _neighbours(module: nn.Module, example: torch.Tensor) -> list[tuple[str, str, bool]]:
    """Names of norms and of the linear layer beside each, and whether the layer stands before the norm."""
    names = {each: name for name, each in module.named_modules() if type(each) is nn.Linear or _foldable(each)}
    seen: list[tuple[nn.Module, torch.Tensor, torch.Tensor]] = []
    hooks = [
        each.register_forward_hook(lambda called, inputs, output: seen.append((called, inputs[0], output)))
        for each in names
    ]
    module(example)
    for hook in hooks:
        hook.remove()
    called = [each for each, _, _ in seen]
    once = [(each, inputs, output) for each, inputs, output in seen if called.count(each) == 1 and inputs.dim() == 2]
    found: dict[str, tuple[str, str, bool]] = {}
    taken: set[nn.Module] = set()
    for norm, into, out in once:
        for layer, inputs, output in once:
            before = output is into
            if _foldable(norm) and isinstance(layer, nn.Linear) and (before or inputs is out) and layer not in taken:
                found.setdefault(names[norm], (names[norm], names[layer], before))
                taken.add(layer)
    return list(found.values())


def _after_norm(norm: nn.BatchNorm1d, layer: nn.Linear) -> nn.Linear:
    assert norm.running_var is not None
    assert norm.running_mean is not None
    scale = (norm.running_var + norm.eps).rsqrt() * norm.weight
    shift = norm.bias - norm.running_mean * scale
    folded = nn.Linear(layer.in_features, layer.out_features)
    folded.weight.copy_(layer.weight * scale)
    folded.bias.copy_(layer.weight @ shift + (0.0 if layer.bias is None else layer.bias))
    return folded
