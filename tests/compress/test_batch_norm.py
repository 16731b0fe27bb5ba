"""Batch norms disappear into their neighbours and the scores stay."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from autocompress.artefact.export import parity
from autocompress.compress.batch_norm import without_batch_norms
from autocompress.models.recommender import Recommender
from tests.contracts.small_model import Exporter, initializers, new_inputs, new_model

WIDTH = 12


class Behind(nn.Module):
    """A norm behind a layer, and one before the next."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.norm = nn.Linear(width, 16, bias=False), nn.BatchNorm1d(16)
        self.before, self.out = nn.BatchNorm1d(16), nn.Linear(16, 2)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        hidden = torch.relu(self.norm(self.first(inputs)))
        logits: torch.Tensor = self.out(self.before(hidden))
        return logits


class ReadTwice(nn.Module):
    """The layer before the norm is read by others, too; so is the norm."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.norm, self.out = nn.Linear(width, 16), nn.BatchNorm1d(16), nn.Linear(16, 2)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        hidden = self.first(inputs)
        normed = self.norm(hidden)
        logits: torch.Tensor = self.out(torch.relu(normed) + hidden * normed)
        return logits


class Untraceable(nn.Module):
    """Decides by its values, which a tracer cannot follow."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm, self.out = nn.BatchNorm1d(width), nn.Linear(width, 2)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        if not len(inputs):
            return inputs[:, :2]
        logits: torch.Tensor = self.out(self.norm(inputs))
        return logits


class WithoutItsOwn(nn.Module):
    """Norms that learn nothing, or remember nothing."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.norm = nn.Linear(width, 16), nn.BatchNorm1d(16, affine=False)
        self.second, self.other = nn.Linear(16, 16), nn.BatchNorm1d(16, track_running_stats=False)
        self.out = nn.Linear(16, 2)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.out(self.other(self.second(self.norm(self.first(inputs)))))
        return logits


def trained(module: nn.Module, width: int) -> nn.Module:
    torch.manual_seed(0)
    for norm in module.modules():
        if isinstance(norm, nn.BatchNorm1d) and norm.affine:
            nn.init.normal_(norm.weight)
            nn.init.normal_(norm.bias)
    for _ in range(5):
        module.train()(3.0 * torch.randn(64, width) + 1.0)
    return module.eval()


def norms(module: nn.Module) -> int:
    return sum(isinstance(each, nn.BatchNorm1d) for each in module.modules())


@pytest.mark.parametrize(("kind", "left"), [(Behind, 0), (ReadTwice, 1), (Untraceable, 0), (WithoutItsOwn, 2)])
def test_scores_stay_whether_or_not_a_norm_can_go(kind: type[nn.Module], left: int) -> None:
    module = trained(kind(WIDTH), WIDTH)
    folded = without_batch_norms(module, WIDTH)
    assert norms(folded) == left
    assert norms(module) > 0, "the module itself is left alone"
    inputs = torch.randn(50, WIDTH)
    with torch.no_grad():
        torch.testing.assert_close(folded(inputs), module(inputs), rtol=1e-4, atol=1e-5)


def test_a_module_without_norms_is_given_back() -> None:
    module = nn.Sequential(nn.Linear(3, 3))
    assert without_batch_norms(module, 3) is module


@pytest.mark.parametrize("kind", [Behind, ReadTwice])
def test_a_model_with_norms_is_exported(kind: type[nn.Module], tmp_path: Path) -> None:
    bank = new_model().bank
    model = Recommender(bank, trained(kind(bank.layout.width), bank.layout.width)).eval()
    path = Exporter(tmp_path / "cache", tmp_path)(model)
    assert parity(model, path, new_inputs(model, 300)) <= 1e-5
    assert any("norm" in name for name in initializers(path)) == (kind is ReadTwice)
