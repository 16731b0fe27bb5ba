"""What every kind of recommender and every task head promises. A new one is held to it as soon as its file exists."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from autocompress import family
from autocompress.artefact.export import parity
from autocompress.artefact.runtime import open_session, outputs, score
from autocompress.compress.inherit import Heads, inherit
from autocompress.errors import UserError
from autocompress.models.heads import head
from autocompress.models.recommender import Recommender
from autocompress.models.shape import PACKAGE, Shape, changed, parse_shape
from autocompress.search.trial import PARITY_BOUND
from tests.contracts.small_model import (
    SCHEMA,
    Exporter,
    logits_of,
    new_context,
    new_inputs,
    new_model,
    own_inputs,
    transform,
)

SHAPES: dict[str, dict[str, Any]] = {
    "dcnv2": {"cross_layers": 1, "cross_rank": 16, "tower": [32, 16]},
    "deepfm": {"tower": [32, 16]},
    "dlrm": {"tower": [32, 16]},
    "finalmlp": {"tower": [32, 16], "second_tower": [24, 16], "fusion_heads": 2},
    "two_tower": {"item_fields": ["item", "price", "image"], "tower": [32, 16], "output": 8},
    "sasrec": {"blocks": 2},
    "din": {"attention": 12, "tower": [32, 16]},
    "autoint": {"attention_layers": 2, "attention_heads": 2, "attention_width": 4, "tower": [32, 16]},
}
HEADS: dict[str, tuple[dict[str, Any], ...]] = {
    "shared_bottom": ({}, {"towers": [8]}),
    "esmm": ({}, {"towers": [8]}),
    "mmoe": ({"experts": 3, "expert": [12], "towers": [8]},),
    "ple": (
        {"shared_experts": 2, "task_experts": 1, "expert": [12], "towers": [8]},
        {"levels": 2, "shared_experts": 1, "task_experts": 2, "expert": [12, 8], "towers": []},
    ),
}
MODELS = family.members(PACKAGE)


def head_of(kind: str, name: str, number: int) -> dict[str, Any]:
    """The head of a model, where it may have different ones."""
    return {"head": {"kind": name, **HEADS[name][number]}} if "head" in MODELS[kind].model_fields else {}


CHOICES = [("dcnv2", name, number) for name in HEADS for number in range(len(HEADS[name]))]
CHOICES += [(kind, "shared_bottom", 0) for kind in SHAPES if kind != "dcnv2"]
CASES = [
    pytest.param(
        parse_shape({"kind": kind, "embedding_dim": 8, **SHAPES[kind], **head_of(kind, name, number)}),
        id=f"{kind}-{name}-{number}",
    )
    for kind, name, number in CHOICES
]
every_model = pytest.mark.parametrize("shape", CASES)
every_kind = pytest.mark.parametrize("shape", [case for case in CASES if "-shared_bottom-0" in str(case.id)])


def has_tower(shape: Shape) -> bool:
    return "tower" in shape.model_dump()


def test_every_kind_and_every_head_has_an_example() -> None:
    # a user's own module is made by teacher=module alone, and has tests of its own
    assert set(SHAPES) == set(MODELS) - {"module"}
    assert set(HEADS) == set(family.members(head.PACKAGE))


@every_model
def test_it_comes_back_from_json(shape: Shape) -> None:
    assert parse_shape(shape.model_dump(mode="json")) == shape


@every_kind
def test_a_knob_that_it_does_not_have_is_refused(shape: Shape) -> None:
    with pytest.raises(ValueError, match="towr"):
        changed(shape, {"towr": [8]})


@every_model
def test_it_gives_one_finite_logit_per_task_and_every_weight_learns(shape: Shape) -> None:
    model = new_model(shape=shape).train()
    context = new_context(shape=shape)
    logits = logits_of(model, context)
    assert logits.shape == (len(context.ids), len(SCHEMA.tasks))
    torch.autograd.backward(torch.nn.functional.binary_cross_entropy_with_logits(logits, context.labels))
    assert [name for name, value in model.named_parameters() if value.grad is None] == []


@every_model
def test_the_file_scores_what_torch_scores(shape: Shape, exported: Exporter) -> None:
    model = new_model(shape=shape)
    path = exported(model)
    assert parity(model, path, new_inputs(model, 500)) <= 1e-5
    assert score(open_session(path), new_inputs(model, 500)).std() > 1e-3, "scores that do not vary would hide it"


def test_two_towers_that_differ_in_their_output_alone_share_no_graph(exported: Exporter) -> None:
    for output in (8, 24):
        shape = parse_shape({"kind": "two_tower", "embedding_dim": 8, **SHAPES["two_tower"], "output": output})
        model = new_model(shape=shape)
        found = outputs(open_session(exported(model)), new_inputs(model))
        assert {name: value.shape[1] for name, value in found.items() if name != "scores"} == {
            "user_vector": output,
            "item_vector": output,
        }


@pytest.mark.parametrize("kind", ["sasrec", "two_tower"])
def test_vectors_in_the_file_rank_as_the_scores_do(kind: str, exported: Exporter) -> None:
    model = new_model(shape=parse_shape({"kind": kind, "embedding_dim": 8, **SHAPES[kind]}))
    with torch.no_grad():
        model.dense.get_submodule("head").get_parameter("weight")[0] = -2.0
    found = outputs(open_session(exported(model)), new_inputs(model, 300))
    logits = np.log(found["scores"][:, 0]) - np.log1p(-found["scores"][:, 0])
    products = (found["user_vector"] * found["item_vector"]).sum(axis=1)
    assert np.ptp(logits - products) <= 1e-3
    assert np.ptp(products) > 0.1


@every_model
def test_other_weights_and_a_narrower_tower_fit_its_graph(shape: Shape, exported: Exporter) -> None:
    exported(new_model(shape=shape))
    other = new_model(seed=1, shape=changed(shape, {"tower": [24, 16]} if has_tower(shape) else {}))
    assert parity(other, exported(other, "other"), new_inputs(other, 500)) <= 1e-5


@every_model
def test_a_student_of_the_same_shape_is_the_teacher(shape: Shape) -> None:
    teacher, context = new_model(shape=shape), new_context(shape=shape)
    student = inherit(teacher, shape, context).eval()
    torch.testing.assert_close(logits_of(student, context), logits_of(teacher, context), rtol=1e-4, atol=1e-5)


@every_model
def test_the_next_student_of_a_shape_starts_as_the_first_one_did(shape: Shape) -> None:
    narrow = changed(shape, {"embedding_dim": 6})
    teacher, context, heads = new_model(shape=shape), new_context(shape=shape), Heads()
    if narrow.larger_than(shape) is not None:
        return
    first, second = (inherit(teacher, narrow, context, heads=heads) for _ in range(2))
    assert not first.training
    assert not second.training
    assert len(heads) <= 1
    assert torch.equal(logits_of(second, context), logits_of(first, context))
    assert torch.equal(logits_of(inherit(teacher, narrow, context).eval(), context), logits_of(first, context))


@every_model
def test_a_student_of_fewer_dimensions_starts_near_the_teacher(shape: Shape, exported: Exporter) -> None:
    assert_starts_near(shape, {"embedding_dim": 6}, exported)


@every_kind
@pytest.mark.parametrize("tower", [[24, 16], [24, 8], [24]])
def test_a_student_of_a_narrower_tower_starts_near_the_teacher(
    shape: Shape, tower: list[int], exported: Exporter
) -> None:
    if has_tower(shape):
        assert_starts_near(shape, {"tower": tower}, exported)


def assert_starts_near(shape: Shape, changes: dict[str, Any], exported: Exporter) -> None:
    teacher, context = new_model(shape=shape), new_context(shape=shape)
    narrow = changed(shape, changes)
    if narrow.larger_than(shape) is not None:
        with pytest.raises(ValueError, match="teacher"):
            inherit(teacher, narrow, context)
        return
    student = inherit(teacher, narrow, context).eval()
    assert parity(student, exported(student), new_inputs(student, 200)) <= 1e-5
    wanted, found = (logits_of(each, context)[:, 0].detach().numpy() for each in (teacher, student))
    assert np.corrcoef(wanted, found)[0, 1] > 0.5


@every_kind
def test_a_larger_student_is_named_and_refused(shape: Shape) -> None:
    towers = ({"tower": [64, 16]}, {"tower": [32, 16, 16]}) if has_tower(shape) else ({"blocks": 3},)
    for changes in ({"embedding_dim": 16}, *towers):
        larger = changed(shape, changes)
        assert larger.larger_than(shape) == next(iter(changes))
        with pytest.raises(ValueError, match="teacher"):
            inherit(new_model(shape=shape), larger, new_context(shape=shape))


@every_model
def test_channels_tables_and_layers_are_compressed_together(shape: Shape, exported: Exporter) -> None:
    model, context = new_model(shape=shape), new_context(shape=shape)
    before = exported(model, "before").stat().st_size
    for kind, knobs in (
        ("rows", {"keep": 0.6}),
        ("channels", {"ratio": 0.5}),
        ("quantize_tables", {"bits": 8}),
        ("quantize_dense", {}),
    ):
        transform(kind, knobs).apply(model, context)
    path = exported(model.eval())
    assert path.stat().st_size < 0.6 * before
    assert parity(model, path, new_inputs(model, 500)) <= PARITY_BOUND[True]
    inputs, session = own_inputs(model), open_session(path)
    alone = np.concatenate([score(session, inputs[[row]]) for row in range(len(inputs))])
    assert np.abs(alone - score(session, inputs)).max() <= 1e-6


def test_a_funnel_never_gives_a_child_more_than_its_parent() -> None:
    shape = parse_shape({"kind": "deepfm", "embedding_dim": 8, "tower": [16], "head": {"kind": "esmm"}})
    model: Recommender = new_model(shape=shape)
    click, buy = torch.sigmoid(logits_of(model, new_context(shape=shape))).T
    assert bool((buy <= click + 1e-6).all())
    assert bool((buy < click).any())


def test_a_funnel_without_parents_is_refused() -> None:
    shape = parse_shape({"head": {"kind": "esmm"}})
    with pytest.raises(UserError, match="parent"):
        shape.dense(SCHEMA.model_copy(update={"tasks": SCHEMA.tasks[:1]}), (8,) * 5)
