"""The linear layers of a model: what they see of a sample, how its loss depends on them, what is put in their place."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from autocompress.compress.transform import Context
from autocompress.models.heads.head import gives_logits
from autocompress.models.recommender import Recommender


def inputs_of_layers(model: Recommender, context: Context) -> dict[str, torch.Tensor]:
    """Inputs float32 (n, in) of every linear layer but those whose outputs are logits, by name; in eval mode."""
    seen: dict[str, torch.Tensor] = {}
    hooks = []
    for name, module in model.dense.named_modules():
        if isinstance(module, nn.Linear) and not gives_logits(name):

            def remember(_: nn.Module, inputs: tuple[torch.Tensor], name: str = name) -> None:
                seen[name] = inputs[0].detach().float()

            hooks.append(module.register_forward_pre_hook(remember))
    training = model.training
    model.eval()
    with torch.no_grad():
        model(context.ids, context.numbers)
    model.train(training)
    for hook in hooks:
        hook.remove()
    return seen


def put(dense: nn.Module, name: str, module: nn.Module) -> None:
    """Puts a module in the place of the one of that name."""
    parent, _, leaf = name.rpartition(".")
    setattr(dense.get_submodule(parent), leaf, module)


def replaced(dense: nn.Module, name: str, make: Callable[[nn.Linear], nn.Module]) -> nn.Module:
    """Puts what `make` makes of the linear layer `name` in its place, in the layer's mode; returns it."""
    layer = dense.get_submodule(name)
    assert isinstance(layer, nn.Linear)
    made = make(layer).train(layer.training)
    put(dense, name, made)
    return made


def loss_gradients(model: Recommender, context: Context) -> dict[str, torch.Tensor]:
    """Gradients of the sample's mean cross-entropy by parameters of the dense part, by name; none is left behind.

    In eval mode: dropout would make them another every time.
    """
    dense, training = model.dense, model.training
    model.eval()
    dense.zero_grad(set_to_none=True)
    logits = dense(model.bank(context.ids, context.numbers).detach())
    torch.autograd.backward(nn.functional.binary_cross_entropy_with_logits(logits, context.labels))
    found = {name: value.grad for name, value in dense.named_parameters() if value.grad is not None}
    dense.zero_grad(set_to_none=True)
    model.train(training)
    return found
