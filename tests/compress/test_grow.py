"""Widened models: they compute what they did, and what was added can learn."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from autocompress.compress.grow import grown
from autocompress.compress.inherit import inherit
from autocompress.models.shape import changed, parse_shape
from tests.contracts.small_model import logits_of, new_context, new_model
from tests.contracts.test_models import SHAPES

HALF: dict[str, dict[str, Any]] = {
    "dcnv2": {"embedding_dim": 4, "tower": [16, 8]},
    "deepfm": {"tower": [16, 8]},
    "dlrm": {"tower": [16, 8]},
    "din": {"embedding_dim": 4, "tower": [16, 8]},
    "autoint": {"tower": [16, 8]},
    "finalmlp": {"tower": [16, 16]},
    "two_tower": {"embedding_dim": 4, "tower": [16, 8]},
}


@pytest.mark.parametrize("kind", HALF)
def test_a_wider_model_computes_what_it_did_and_every_weight_may_learn(kind: str) -> None:
    full = parse_shape({"kind": kind, "embedding_dim": 8, **SHAPES[kind]})
    narrow, context = new_model(shape=changed(full, HALF[kind])), new_context(shape=full)
    wide = grown(narrow, full, context)
    torch.testing.assert_close(logits_of(wide, context), logits_of(narrow, context), rtol=1e-4, atol=1e-4)
    assert sum(p.numel() for p in wide.parameters()) > sum(p.numel() for p in narrow.parameters())
    optimizer = torch.optim.SGD(wide.parameters(), lr=0.1)
    for _ in range(2):  # what listens to a new unit learns first, the unit itself with the next step
        optimizer.zero_grad()
        torch.autograd.backward(
            torch.nn.functional.binary_cross_entropy_with_logits(logits_of(wide, context), context.labels)
        )
        optimizer.step()
    still = [name for name, value in wide.named_parameters() if value.grad is None or not value.grad.to_dense().any()]
    assert still == []


def test_what_is_cut_back_again_is_the_narrow_model() -> None:
    full = parse_shape({"embedding_dim": 8, **SHAPES["dcnv2"]})
    half = changed(full, HALF["dcnv2"])
    narrow, context = new_model(shape=half), new_context()
    wide = grown(narrow, full, context)
    with torch.no_grad():  # units that nobody hears are the weakest
        for table in range(len(wide.bank.layout.rows)):
            wide.bank.table(table)[:, 4:] = 0.0
    again = inherit(wide, half, context).eval()
    torch.testing.assert_close(logits_of(again, context), logits_of(narrow, context), rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize(
    ("kind", "changes"),
    [("sasrec", {"embedding_dim": 4}), ("two_tower", {"output": 4}), ("finalmlp", {"tower": [16, 8]})],
)
def test_what_would_change_the_scores_is_refused(kind: str, changes: dict[str, Any]) -> None:
    full = parse_shape({"kind": kind, "embedding_dim": 8, **SHAPES[kind]})
    narrow = new_model(shape=changed(full, changes))
    with pytest.raises(ValueError, match=r"no part of|without changing"):
        grown(narrow, full, new_context(shape=full))
