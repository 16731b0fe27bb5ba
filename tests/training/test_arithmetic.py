"""The fastest arithmetic of a machine: measured once, then what was found; oneDNN gives what torch gives."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from autocompress.measure.machine import machine_digest
from autocompress.storage import write_json
from autocompress.training.arithmetic import Arithmetic, fastest
from autocompress.training.onednn import LEAST_WEIGHTS, OneDNNLinears

needs_onednn = pytest.mark.skipif(
    not torch.backends.mkldnn.is_available(),  # type: ignore[no-untyped-call]
    reason="this torch has no oneDNN",
)


def test_what_was_measured_is_stored_and_not_measured_again(tmp_path: Path) -> None:
    first = fastest(tmp_path)
    (path,) = (tmp_path / "machines").iterdir()
    assert path.name == f"{machine_digest()}.json"
    other = Arithmetic("32-true" if first.precision == "bf16-mixed" else "bf16-mixed", not first.onednn)
    write_json(path, other._asdict())
    assert fastest(tmp_path) == other
    assert other.exact == Arithmetic("32-true", other.onednn)


def test_what_an_earlier_version_measured_is_measured_anew(tmp_path: Path) -> None:
    path = tmp_path / "machines" / f"{machine_digest()}.json"
    write_json(path, {"precision": "bf16-mixed", "times_faster_in_bfloat16": 2.0})
    assert isinstance(fastest(tmp_path).onednn, bool)


@needs_onednn
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("rows", "inputs", "outputs"), [(300, 96, 64), (1, 64, 64), (7, 8, 4), (0, 64, 64)])
def test_values_and_gradients_through_onednn_are_those_of_torch(
    rows: int, inputs: int, outputs: int, bias: bool
) -> None:
    torch.manual_seed(0)
    layer, given = nn.Linear(inputs, outputs, bias=bias), torch.randn(rows, inputs)
    found = []
    for mode in (None, OneDNNLinears()):
        leaf = given.clone().requires_grad_()
        layer.zero_grad()
        if mode is None:
            out = layer(leaf)
        else:
            with mode:
                out = layer(leaf)
        out.square().sum().backward()
        found.append([out.detach(), leaf.grad, *(weight.grad for weight in layer.parameters())])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


@needs_onednn
def test_only_large_products_of_matrices_in_float32_leave_torch() -> None:
    def through(given: torch.Tensor, layer: nn.Module) -> str:
        with OneDNNLinears():
            return type(layer(given).grad_fn).__name__

    large = nn.Linear(64, LEAST_WEIGHTS // 64)
    assert through(torch.ones(4, 64), large) == "_LinearBackward"
    assert through(torch.ones(4, 64), nn.Linear(64, LEAST_WEIGHTS // 64 - 1)) == "AddmmBackward0"
    assert through(torch.ones(2, 4, 64), large) != "_LinearBackward"
    assert through(torch.ones(4, 64).double(), nn.Linear(64, 64).double()) == "AddmmBackward0"
