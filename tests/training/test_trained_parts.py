"""Recovery of a few parts: what moves, what stays, and what is left in the model afterwards."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from torch import nn

from autocompress.artefact.export import parity
from autocompress.compress.plan import Part
from autocompress.models.recommender import Recommender
from autocompress.training.trained_parts import trained_parts
from tests.contracts.small_model import Exporter, logits_of, new_context, new_inputs, new_model, transform

SMALL: tuple[Part, ...] = ("biases", "norms", "steps", "codebooks")


def compressed(*kinds: tuple[str, dict[str, object]]) -> Recommender:
    model = new_model()
    for kind, knobs in kinds:
        transform(kind, knobs).apply(model, new_context())
    return model


def step(model: Recommender) -> None:
    """One step of everything that has a gradient."""
    context = new_context()
    loss = nn.functional.binary_cross_entropy_with_logits(logits_of(model.train(), context), context.labels)
    torch.autograd.backward(loss)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.grad is not None:
                parameter.sub_(0.1 * (parameter.grad.to_dense() if parameter.grad.is_sparse else parameter.grad))
    model.zero_grad(set_to_none=True)


def moved(model: Recommender, parts: tuple[Part, ...]) -> set[str]:
    before = copy.deepcopy(model.state_dict())
    with trained_parts(model, parts):
        step(model)
    return {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}


@pytest.mark.parametrize(
    ("parts", "starts"),
    [
        (("tables",), ("bank.tables",)),
        (("head",), ("dense.head",)),
        (("dense",), ("dense.",)),
        (("everything",), ("bank.", "dense.")),
    ],
)
def test_only_what_is_named_moves(parts: tuple[Part, ...], starts: tuple[str, ...]) -> None:
    found = moved(new_model(), parts)
    assert found
    assert all(name.startswith(starts) for name in found)


def test_biases_steps_and_codebooks_of_a_packed_model_are_a_small_share_of_it() -> None:
    model = compressed(("product_quantization", {"least_rows": 300}), ("quantize_dense", {}))
    everything = sum(parameter.numel() for parameter in model.parameters())
    with trained_parts(model, SMALL) as trained:
        assert trained < everything / 2
    found = moved(model, SMALL)
    assert {"bank.apart.0.books.0", "dense.tower.0.bias", "dense.tower.0.input_stretch"} <= found
    assert not any(name.endswith("weight") or name.startswith("bank.tables") for name in found)


@pytest.mark.parametrize("kinds", [(), (("quantize_dense", {}),), (("weights", {"sparsity": 0.5}),)], ids=str)
def test_adapters_start_at_nothing_and_are_folded_into_the_weights(
    kinds: tuple[tuple[str, dict[str, object]], ...], tmp_path: Path
) -> None:
    model = compressed(*kinds)
    names, before = set(model.state_dict()), logits_of(model.eval(), new_context()).detach()
    with trained_parts(model, ("adapters",)):
        torch.testing.assert_close(logits_of(model.eval(), new_context()), before)
        step(model)
        step(model)
        inside = logits_of(model.eval(), new_context()).detach()
    assert set(model.state_dict()) == names
    after = logits_of(model.eval(), new_context())
    torch.testing.assert_close(after, inside)
    assert float((after - before).detach().abs().max()) > 1e-3
    assert parity(model, Exporter(tmp_path / "cache", tmp_path)(model), new_inputs(model, 300)) <= 1e-3
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_after_an_error_everything_can_be_trained_again() -> None:
    model = new_model()
    with pytest.raises(KeyboardInterrupt), trained_parts(model, ("adapters",)):
        raise KeyboardInterrupt
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert set(model.state_dict()) == set(new_model().state_dict())
