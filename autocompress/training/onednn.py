"""Linear layers in float32 through oneDNN, where that multiplies faster than the BLAS that torch was built with.

torch gives float32 products to MKL, which leaves AVX-512 alone on processors of other makers than its own; oneDNN,
which comes with torch and serves bfloat16, takes half the time there (`experiments/training_throughput`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.nn.functional import linear
from torch.overrides import TorchFunctionMode

LEAST_WEIGHTS = 4096
"""Numbers in a weight below which a call costs more than it saves."""


def there() -> bool:
    """Whether this torch has oneDNN, and the operator that its own compiler uses."""
    available = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return bool(available) and hasattr(torch.ops.mkldnn, "_linear_pointwise")


class OneDNNLinears(TorchFunctionMode):
    """Inside it, `torch.nn.functional.linear` of large float32 matrices on a CPU goes through oneDNN, gradients too."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Called by torch for each of its functions."""
        if func is linear and not kwargs and _suits(*args):
            padded = args if len(args) == 3 else (*args, None)
            return _Linear.apply(*padded)  # type: ignore[no-untyped-call]
        return func(*args, **(kwargs or {}))


def _suits(inputs: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> bool:
    return (
        inputs.dim() == 2
        and len(inputs) > 0
        and weight.numel() >= LEAST_WEIGHTS
        and inputs.dtype == weight.dtype == torch.float32
        and inputs.device.type == "cpu"
    )


def product(inputs: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
    """`inputs` (n, k) times the transpose of `weight` (m, k), plus `bias` (m,): float32 (n, m)."""
    found: torch.Tensor = torch.ops.mkldnn._linear_pointwise(inputs, weight, bias, "none", [], "")
    return found


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, inputs: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        ctx.save_for_backward(inputs, weight)
        return product(inputs, weight, bias)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (gradient,), (inputs, weight) = gradients, ctx.saved_tensors
        of_inputs, of_weight, of_bias = ctx.needs_input_grad
        return (
            product(gradient, weight.t()) if of_inputs else None,
            product(gradient.t(), inputs.t()) if of_weight else None,
            gradient.sum(0) if of_bias else None,
        )
