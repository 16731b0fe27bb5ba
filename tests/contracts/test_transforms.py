"""What every compression method promises. A new method is held to it as soon as its file exists."""

from __future__ import annotations

import copy
import dataclasses
import json
import math
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from autocompress.artefact import embedding_graph
from autocompress.artefact.export import parity
from autocompress.artefact.runtime import open_session, score
from autocompress.compress.plan import Plan, Stage
from autocompress.compress.transform import Record, Transform
from autocompress.models.quantized_linear import QuantizedLinear
from autocompress.models.recommender import Recommender, tensors
from autocompress.search.space import legal_order
from autocompress.search.trial import PARITY_BOUND
from autocompress.training.sparse_adagrad import SparseAdagrad
from tests.contracts.small_model import (
    KINDS,
    ROWS,
    SCHEMA,
    SHAPE,
    Exporter,
    initializers,
    logits_of,
    new_context,
    new_inputs,
    new_model,
    own_inputs,
    scores_of,
    transform,
)

EXAMPLES: dict[str, tuple[dict[str, Any], ...]] = {
    "rows": (
        {"keep": 0.3},
        {"keep": 0.9},
        {"keep": 0.3, "buckets": 0.1},
        {"keep": 0.5, "importance": "norm"},
        {"keep": 0.4, "importance": "gradient", "buckets": 0.2},
    ),
    "hashing": ({"keep": 0.5, "least_rows": 100}, {"keep": 0.2, "least_rows": 300}),
    "fields": ({"keep": 0.5}, {"keep": 0.3}),
    "dimensions": ({"keep": 0.5}, {"keep": 0.9}),
    "channels": (
        {"ratio": 0.5, "importance": "magnitude"},
        {"ratio": 0.5, "importance": "gradient"},
        {"ratio": 0.4, "importance": "activation", "scope": "global"},
    ),
    "low_rank": ({"keep": 0.5}, {"keep": 0.6, "weighted": False}),
    "quantize_tables": (
        {"bits": 8},
        {"bits": 4},
        {"bits": 2},
        {"bits": 2, "granularity": "field"},
        {"bits": 8, "granularity": "field"},
        {"bits": 4, "granularity": "field"},
    ),
    "mixed_table_bits": ({"average_bits": 6.0}, {"average_bits": 9.0}),
    "factor_tables": ({"keep": 0.5}, {"keep": 0.8}),
    "mixed_dimensions": ({"alpha": 0.3, "full_rows": 50}, {"alpha": 0.8}),
    "product_quantization": (
        {"least_rows": 300},
        {"piece": 2, "least_rows": 300},
        {"piece": 8, "least_rows": 400},
        {"piece": 2.7, "least_rows": 300},
    ),
    "compositional": ({"keep": 0.5, "least_rows": 300}, {"keep": 0.2, "least_rows": 200}),
    "tensor_train": ({"rank": 12, "least_rows": 300}, {"rank": 4, "least_rows": 400}),
    "codebook_dense": ({"least_weights": 1024}, {"piece": 1, "least_weights": 1024}),
    "mixed_dense_bits": ({"average_bits": 8.0}, {"average_bits": 12.0}, {"average_bits": 4.0}),
    "weights": (
        {"sparsity": 0.6},
        {"sparsity": 0.6, "schedule": "gradual"},
        {"sparsity": 0.6, "schedule": "dynamic"},
        {"sparsity": 0.6, "schedule": "movement"},
        {"sparsity": 0.9, "importance": "gradient", "scope": "global"},
        {"sparsity": 0.5, "pattern": "2:4"},
    ),
    "quantize_dense": (
        {"calibration": "minmax"},
        {"calibration": "percentile"},
        {"calibration": "entropy"},
        {"weights": "tensor"},
        {"activations": "row"},
        {"activations": "float", "bits": 16},
        {"activations": "float", "bits": 8},
        {"activations": "float", "bits": 4},
    ),
}
"""Knobs that really change the model; a test says that no method is without."""

CASES = [pytest.param(kind, knobs, id=f"{kind}-{n}") for kind in EXAMPLES for n, knobs in enumerate(EXAMPLES[kind])]
every_method = pytest.mark.parametrize(("kind", "knobs"), CASES)


def is_legal(order: tuple[str, ...]) -> bool:
    return all(earlier in KINDS[kind].follows for n, kind in enumerate(order) for earlier in order[:n])


PAIRS = list(product(KINDS, repeat=2))


def drawn_orders(several: int) -> list[tuple[str, ...]]:
    """Legal orders of three or more methods, of the many that there are: one after another that may still follow."""
    draw, found = np.random.default_rng(0), set[tuple[str, ...]]()
    while len(found) < several:
        order: tuple[str, ...] = ()
        for kind in draw.permutation(sorted(KINDS)):
            order = (*order, str(kind)) if is_legal((*order, str(kind))) else order
        found |= {order} if len(order) > 2 else set()
    return sorted(found)


LEGAL = [*(order for order in PAIRS if is_legal(order)), *drawn_orders(60)]
ILLEGAL = [order for order in PAIRS if not is_legal(order)]


def together(kind: str) -> list[str]:
    """A method and all others, in turn, that a plan may hold beside those before them, in a legal order."""
    held = [kind]
    for other in sorted(set(KINDS) - {kind}):
        held += [other] if legal_order([*held, other]) is not None else []
    return legal_order(held) or []


def example(kind: str) -> Transform:
    return transform(kind, EXAMPLES[kind][0])


def plan_of(*transforms: Transform) -> Plan:
    return Plan(student=SHAPE, stages=(Stage(transforms=transforms),))


@cache
def once_applied(transforms: tuple[Transform, ...]) -> tuple[Recommender, tuple[Record, ...]]:
    if not transforms:
        return new_model(), ()
    model, records = applied(*transforms[:-1])
    return model, (*records, transforms[-1].apply(model, new_context()))


def applied(*transforms: Transform) -> tuple[Recommender, list[Record]]:
    """The small model after the methods, and their records; every call returns a copy of its own."""
    model, records = copy.deepcopy(once_applied(transforms))
    return model, list(records)


def bound(*transforms: Transform) -> float:
    """Tighter than a trial's, whose many rows may hold a value on an edge of rounding."""
    return 1e-3 if any(each.storage_bits() for each in transforms) else PARITY_BOUND[False]


def test_every_method_has_an_example() -> None:
    assert set(EXAMPLES) == set(KINDS)


@every_method
def test_its_knobs_come_back_from_a_stored_plan(kind: str, knobs: dict[str, Any]) -> None:
    plan = plan_of(transform(kind, knobs))
    again = Plan.model_validate_json(plan.model_dump_json())
    assert again == plan
    assert again.digest == plan.digest
    assert again.transforms() == (transform(kind, knobs),)


@every_method
def test_its_record_is_json(kind: str, knobs: dict[str, Any]) -> None:
    _, (record,) = applied(transform(kind, knobs))
    assert json.loads(json.dumps(record, allow_nan=False)) == record


@every_method
def test_it_refuses_a_knob_that_it_does_not_have(kind: str, knobs: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="stength"):
        transform(kind, {**knobs, "stength": 1})


@every_method
def test_it_decides_the_same_twice(kind: str, knobs: dict[str, Any]) -> None:
    first, records = applied(transform(kind, knobs))
    second = new_model()
    assert [transform(kind, knobs).apply(second, new_context())] == records
    np.testing.assert_array_equal(scores_of(first, new_inputs(first)), scores_of(second, new_inputs(second)))


@every_method
def test_restoring_its_record_rebuilds_the_model_that_it_left(kind: str, knobs: dict[str, Any]) -> None:
    method = transform(kind, knobs)
    model, (record,) = applied(method)
    fresh = new_model(seed=99)
    method.restore(fresh, json.loads(json.dumps(record)))
    fresh.load_state_dict(model.state_dict(), strict=True)
    ids = new_inputs(model)
    np.testing.assert_array_equal(scores_of(fresh, ids), scores_of(model, ids))


@every_method
def test_it_leaves_a_model_of_one_finite_logit_per_task(kind: str, knobs: dict[str, Any]) -> None:
    model, _ = applied(transform(kind, knobs))
    logits = model(*tensors(new_inputs(model)))
    assert logits.shape == (64, len(SCHEMA.tasks))
    assert bool(torch.isfinite(logits).all())


@every_method
def test_it_changes_the_scores_but_not_beyond_recognition(kind: str, knobs: dict[str, Any]) -> None:
    model, _ = applied(transform(kind, knobs))
    ids = new_inputs(model, 400)
    before, after = scores_of(new_model(), ids), scores_of(model, ids)
    assert np.abs(before - after).max() > 0 or kind == "rows"  # rows that stay score what they scored
    assert np.corrcoef(before[:, 0], after[:, 0])[0, 1] > 0.5


@every_method
def test_what_it_leaves_can_be_trained(kind: str, knobs: dict[str, Any]) -> None:
    model, _ = applied(transform(kind, knobs))
    context = new_context()
    logits = logits_of(model.train(), context)
    torch.autograd.backward(torch.nn.functional.binary_cross_entropy_with_logits(logits, context.labels))
    without = [name for name, value in model.named_parameters() if value.grad is None]
    assert without == []


@every_method
def test_the_file_scores_what_torch_scores(kind: str, knobs: dict[str, Any], exported: Exporter) -> None:
    method = transform(kind, knobs)
    model, _ = applied(method)
    assert parity(model, exported(model), new_inputs(model, 500)) <= bound(method)


@every_method
def test_the_reduction_that_it_declares_is_in_the_file(kind: str, knobs: dict[str, Any], exported: Exporter) -> None:
    method = transform(kind, knobs)
    model, _ = applied(method)
    before, after = exported(new_model(), "before").stat().st_size, exported(model).stat().st_size
    assert method.keeps() or method.storage_bits(), "a method that declares nothing compresses nothing"
    assert after < before


@every_method
def test_a_row_scores_the_same_whatever_rows_stand_beside_it(
    kind: str, knobs: dict[str, Any], exported: Exporter
) -> None:
    model, _ = applied(transform(kind, knobs))
    assert_rows_are_independent(exported(model), model)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_row_scores_the_same_with_everything_applied_that_goes_together(kind: str, exported: Exporter) -> None:
    model, _ = applied(*(example(each) for each in together(kind)))
    assert_rows_are_independent(exported(model), model)


def assert_rows_are_independent(path: Path, model: Recommender) -> None:
    session, rows = open_session(path), 64
    crowd = own_inputs(model, rows + 193)
    together = score(session, crowd[:rows])
    alone = np.concatenate([score(session, crowd[[row]]) for row in range(rows)])
    order = np.random.default_rng(5).permutation(len(crowd))
    among = score(session, crowd[order], batch_size=len(crowd))[np.argsort(order)][:rows]
    assert np.abs(alone - together).max() <= 1e-6
    assert np.abs(among - together).max() <= 1e-6
    assert together.std() > 0.01, "scores that do not vary would hide it"


@pytest.mark.parametrize("order", LEGAL, ids="-".join)
def test_stacked_in_a_legal_order_methods_export_and_restore(order: tuple[str, ...], exported: Exporter) -> None:
    methods = [example(kind) for kind in order]
    assert plan_of(*methods).transforms() == tuple(methods)
    model, records = applied(*methods)
    assert parity(model, exported(model), new_inputs(model, 200)) <= bound(*methods)
    fresh = new_model(seed=99)
    for method, record in zip(methods, json.loads(json.dumps(records)), strict=True):
        method.restore(fresh, record)
    fresh.load_state_dict(model.state_dict(), strict=True)
    np.testing.assert_array_equal(scores_of(fresh, new_inputs(model)), scores_of(model, new_inputs(model)))


@pytest.mark.parametrize("order", ILLEGAL, ids="-".join)
def test_an_illegal_order_is_refused_by_naming_both(order: tuple[str, ...]) -> None:
    first, second = order
    with pytest.raises(ValidationError, match=f"{second} may not follow {first}"):
        plan_of(example(first), example(second))
    with pytest.raises(ValidationError, match=f"{second} may not follow {first}"):
        Plan(student=SHAPE, stages=tuple(Stage(transforms=(example(kind),)) for kind in order))


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_it_may_follow_only_methods_that_exist(kind: str) -> None:
    assert set(KINDS[kind].follows) <= set(KINDS)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_method_goes_together_with_others_in_some_order(kind: str) -> None:
    assert len(together(kind)) > len(KINDS) / 2
    assert is_legal(tuple(together(kind)))


# what a method's file must hold, beside being smaller


@pytest.mark.parametrize("keep", [0.3, 0.9])
def test_rows_that_are_pruned_are_not_in_the_file(keep: float, exported: Exporter) -> None:
    model, (record,) = applied(transform("rows", {"keep": keep}))
    table = initializers(exported(model))["table_0"]
    assert table.shape == (sum(record["rows"]) - len(record["constant"]), 8)
    whole, price = new_model().bank.layout.rows, [*ROWS].index("price")
    vocabulary = sum(rows - 1 for rows in whole) - whole[price] + 1
    kept = sum(rows - 1 for rows in record["rows"]) - whole[price] + 1
    assert kept == pytest.approx(keep * vocabulary, rel=0.03)
    assert record["rows"][price] == whole[price], "numeric buckets stay"


def test_a_field_that_is_left_with_one_row_becomes_a_constant_and_is_not_read(exported: Exporter) -> None:
    before = new_model()
    model, (record,) = applied(transform("rows", {"keep": 0.3}))
    names = [SCHEMA.tables[table] for table in record["constant"]]
    assert names == ["device"], "the smallest vocabulary of rare ids"
    assert len(model.bank.layout.read_slots) == len(before.bank.layout.read_slots) - 1
    constants = model.bank.constants
    assert constants is not None
    weight = torch.from_numpy(new_context().counts[3].astype(np.float32))[:, None]
    torch.testing.assert_close(constants.detach(), (before.bank.table(3) * weight).sum(0) / weight.sum())
    assert "constants" in initializers(exported(model))


def test_row_0_becomes_the_mean_of_all_who_read_it_weighted_by_frequency() -> None:
    before = new_model().bank
    model, (record,) = applied(transform("rows", {"keep": 0.3}))
    kept, counts = record["rows"][0], new_context().counts[0]
    read_it = [0, *range(kept, len(counts))]
    weight = torch.from_numpy(counts[read_it].astype(np.float32))[:, None]
    expected = (before.table(0)[read_it] * weight).sum(0) / weight.sum()
    torch.testing.assert_close(model.bank.table(0)[0], expected)
    torch.testing.assert_close(model.bank.table(0)[1:], before.table(0)[1:kept])


def test_pruned_twice_row_0_is_what_it_would_be_pruned_once() -> None:
    twice, _ = applied(transform("rows", {"keep": 0.8}), transform("rows", {"keep": 0.5}))
    once, _ = applied(transform("rows", {"keep": 0.4}))
    for table in range(3):
        rows = min(twice.bank.layout.rows[table], once.bank.layout.rows[table])
        assert abs(twice.bank.layout.rows[table] - once.bank.layout.rows[table]) <= 1
        torch.testing.assert_close(twice.bank.table(table)[:rows], once.bank.table(table)[:rows], atol=0.02, rtol=0.1)


@pytest.mark.parametrize("keep", [0.11, 0.2, 0.5])
def test_as_many_rows_stay_as_are_to_be_kept_where_nearly_all_are_read_alike(keep: float) -> None:
    counts = [np.where(np.arange(have) < have // 10, 50, 1).astype(np.int64) for have in ROWS.values()]
    context = dataclasses.replace(new_context(), counts=counts)
    model = new_model()
    record = transform("rows", {"keep": keep}).apply(model, context)
    vocabularies = [have for name, have in ROWS.items() if name != "price"]
    stay = sum(rows for rows, name in zip(record["rows"], ROWS, strict=True) if name != "price") - len(vocabularies)
    assert stay == math.ceil(keep * (sum(vocabularies) - len(vocabularies)))


@pytest.mark.parametrize("before", [{"keep": 0.5}, {"keep": 0.3}])
def test_a_field_always_stays_however_many_are_to_go(before: dict[str, float]) -> None:
    model, _ = applied(
        transform("fields", before), transform("fields", {"keep": 0.01}), transform("fields", {"keep": 0.01})
    )
    assert model.bank.layout.dim(1) > 0, "the items', which a list reads"
    assert np.isfinite(scores_of(model, new_inputs(model))).all()


@pytest.mark.parametrize(("bits", "dtype", "columns"), [(8, np.int8, 8), (4, np.uint8, 4), (2, np.uint8, 2)])
@pytest.mark.parametrize("granularity", ["row", "field"])
def test_quantized_tables_are_packed_with_no_float_copy_left(
    bits: int, dtype: type[np.generic], columns: int, granularity: str, exported: Exporter
) -> None:
    model, _ = applied(transform("quantize_tables", {"bits": bits, "granularity": granularity}))
    stored, rows = initializers(exported(model)), sum(model.bank.layout.rows)
    assert stored["table_0"].dtype == dtype
    assert stored["table_0"].shape == (rows, columns)
    long = {name: value for name, value in stored.items() if value.dtype.kind == "f" and value.size >= rows}
    assert [name for name in long if not name.startswith(("cross", "tower", "head"))] == (
        ["table_0.scales"] if granularity == "row" else []
    )
    if granularity == "row":
        assert stored["table_0.scales"].dtype == np.float16
        assert stored["table_0.scales"].shape == (rows, 1)


@pytest.mark.parametrize("piece", [2, 4, 8])
def test_large_tables_take_a_byte_for_every_piece_of_a_row(piece: int, exported: Exporter) -> None:
    model, (record,) = applied(transform("product_quantization", {"piece": piece, "least_rows": 300}))
    assert record == {"tables": [0, 1]}, "users and items; cities are too few"
    stored, plain = initializers(exported(model)), [rows for rows in ROWS.values() if rows < 300]
    assert stored["table_0"].shape == (sum(plain), 8), "the others stay as they were"
    for table, rows in ((0, ROWS["user"]), (1, ROWS["item"])):
        assert stored[f"apart_{table}.codes"].dtype == np.uint8
        assert stored[f"apart_{table}.codes"].shape == (rows, 8 // piece)
        assert stored[f"apart_{table}.half_0"].dtype == np.float16
        assert stored[f"apart_{table}.half_0"].shape == (256 * 8 // piece, piece)


@pytest.mark.parametrize("most", [0, 3, 64])
@pytest.mark.parametrize(
    "methods",
    [
        (("dimensions", {"keep": 0.5}), ("fields", {"keep": 0.6})),
        (("product_quantization", {"least_rows": 300}), ("mixed_table_bits", {"average_bits": 6.0})),
        (("fields", {"keep": 0.5}), ("mixed_dimensions", {"alpha": 0.3})),
    ],
    ids=str,
)
def test_columns_stand_where_they_are_wanted_joined_in_runs_or_gathered_one_by_one(
    methods: tuple[tuple[str, dict[str, Any]], ...], most: int, exported: Exporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedding_graph, "MOST_RUNS", most)
    model, _ = applied(*(transform(kind, knobs) for kind, knobs in methods))
    assert model.bank.layout.order is not None
    assert parity(model, exported(model), new_inputs(model, 300)) <= 1e-5


@pytest.mark.parametrize(("piece", "sizes"), [(3.0, {3: 2, 2: 1}), (1.5, {2: 3, 1: 2}), (5.0, {4: 2})])
def test_pieces_of_a_row_are_as_even_as_whole_bytes_allow(
    piece: float, sizes: dict[int, int], exported: Exporter
) -> None:
    model, _ = applied(transform("product_quantization", {"piece": piece, "least_rows": 300}))
    stored = initializers(exported(model))
    books = [stored[f"apart_0.half_{index}"].shape for index in range(len(sizes))]
    assert books == [(256 * many, size) for size, many in sizes.items()]
    assert stored["apart_0.codes"].shape == (ROWS["user"], sum(sizes.values()))
    assert parity(model, exported(model), new_inputs(model, 300)) <= 1e-5


def test_the_pieces_are_nearest_to_the_rows_that_are_read_often() -> None:
    before, model = new_model().bank.table(0), applied(transform("product_quantization", {"least_rows": 300}))[0]
    errors = (model.bank.table(0) - before).detach().square().sum(dim=1)
    assert float(errors[:100].mean()) < float(errors[300:].mean())
    assert float(errors.mean()) < 0.3 * float(before.detach().square().sum(dim=1).mean())


def test_codes_stay_and_pieces_move_when_a_model_is_trained() -> None:
    model, _ = applied(transform("product_quantization", {"least_rows": 300}))
    before, context = copy.deepcopy(model.state_dict()), new_context()
    optimizer = SparseAdagrad(model.bank.apart.parameters(), 0.1, 1e-8)
    value = torch.nn.functional.binary_cross_entropy_with_logits(logits_of(model.train(), context), context.labels)
    torch.autograd.backward(value)
    optimizer.step()
    after = model.state_dict()
    assert torch.equal(after["bank.apart.0.codes"], before["bank.apart.0.codes"])
    assert not torch.equal(after["bank.apart.0.books.0"], before["bank.apart.0.books.0"])


def test_factored_tables_share_one_matrix_in_the_file(exported: Exporter) -> None:
    model, (record,) = applied(transform("factor_tables", {"keep": 0.5}))
    assert record == {"ranks": {str(table): 4 for table in range(len(ROWS))}}
    stored = initializers(exported(model))
    assert stored["table_0"].shape == (sum(ROWS.values()), 4)
    assert stored["table_0.map"].shape == (4, 8)


def test_factored_tables_keep_what_is_read_most_and_go_on_with_products_and_bits(exported: Exporter) -> None:
    torch.manual_seed(0)
    model, context = new_model(), new_context()
    with torch.no_grad():  # rows of rank 3, and a little more
        values = model.bank.tables[0]
        values.copy_(torch.randn(len(values), 3) @ torch.randn(3, 8) + 0.01 * torch.randn_like(values))
    before = [model.bank.table(table).detach().clone() for table in range(2)]
    for each in (
        transform("product_quantization", {"least_rows": 400, "piece": 2}),
        transform("factor_tables", {"keep": 0.4}),
        transform("quantize_tables", {"bits": 8, "granularity": "field"}),
    ):
        each.apply(model, context)
    assert {name: tuple(each.shape) for name, each in model.bank.maps.items()} == {"3_of_8": (3, 8)}
    for table in range(2):
        error = (model.bank.table(table).detach() - before[table]).square().mean()
        assert float(error) < 0.05 * float(before[table].square().mean())
    assert parity(model, exported(model), new_inputs(model, 300)) <= 1e-3


def test_every_dense_layer_but_the_head_is_int8_in_the_file(exported: Exporter) -> None:
    model, (record,) = applied(example("quantize_dense"))
    stored = initializers(exported(model))
    linear = {name for name, module in new_model().dense.named_modules() if isinstance(module, torch.nn.Linear)}
    assert set(record["ranges"]) == linear - {"head"}
    for name in record["ranges"]:
        layer = model.dense.get_submodule(name)
        assert isinstance(layer, QuantizedLinear)
        assert stored[f"{name}.weight.int8"].dtype == np.int8
        assert stored[f"{name}.weight.int8"].shape == (layer.in_features, layer.out_features)
        assert f"{name}.weight" not in stored
    matrices = [name for name, value in stored.items() if value.dtype == np.float32 and value.ndim == 2]
    assert sorted(matrices) == ["head.weight", "table_0"]


@pytest.mark.parametrize(("bits", "share"), [(16, 0.5), (8, 0.25), (4, 0.125)])
def test_weights_alone_take_their_bits_in_the_file(bits: int, share: float, exported: Exporter) -> None:
    model, (record,) = applied(transform("quantize_dense", {"activations": "float", "bits": bits}))
    stored = initializers(exported(model))
    layers = [new_model().dense.get_submodule(name) for name in record["layers"]]
    weights = sum(layer.weight.numel() for layer in layers if isinstance(layer, torch.nn.Linear))
    packed = [value for name, value in stored.items() if name.endswith((".half", ".codes"))]
    assert len(packed) == len(layers)
    assert sum(value.nbytes for value in packed) == pytest.approx(4 * weights * share, rel=0.03)
    assert sorted(name for name, value in stored.items() if value.dtype == np.float32 and value.ndim == 2) == [
        "head.weight",
        "table_0",
    ]


@pytest.mark.parametrize("weighted", [True, False])
def test_low_rank_factors_hold_the_share_of_weights_that_is_kept(weighted: bool, exported: Exporter) -> None:
    model, (record,) = applied(transform("low_rank", {"keep": 0.5, "weighted": weighted}))
    stored, whole = initializers(exported(model)), initializers(exported(new_model(), "whole"))
    assert record["ranks"]
    for name, rank in record["ranks"].items():
        out, into = whole[f"{name}.weight"].shape
        assert stored[f"{name}.0.weight"].shape == (rank, into)
        assert stored[f"{name}.1.weight"].shape == (out, rank)
        assert abs(rank - 0.5 * out * into / (out + into)) <= 4
        assert f"{name}.weight" not in stored


def test_low_rank_weighted_by_activations_is_nearer_on_them_than_a_plain_svd() -> None:
    context = new_context()
    wanted = logits_of(new_model(), context)
    errors = []
    for weighted in (True, False):
        model = new_model()
        transform("low_rank", {"keep": 0.3, "weighted": weighted}).apply(model, context)
        errors.append(float((logits_of(model, context) - wanted).detach().square().mean()))
    assert errors[0] < errors[1]


@pytest.mark.parametrize("knobs", EXAMPLES["weights"], ids=str)
def test_only_weights_that_stay_are_in_the_file(knobs: dict[str, Any], exported: Exporter) -> None:
    model, (record,) = applied(transform("weights", knobs))
    stored, whole = initializers(exported(model)), initializers(exported(new_model(), "whole"))
    kept = bridges = 0
    for name in record["layers"]:
        assert f"{name}.weight" not in stored
        mask = model.dense.get_submodule(name).get_buffer("mask")
        kept += int(mask.sum())
        places = np.cumsum(stored[f"{name}.weight.gaps"].astype(np.int64))
        dense = np.zeros(mask.numel(), dtype=np.float32)
        dense[places] = stored[f"{name}.weight.values"]
        bridges += len(places) - int(mask.sum())
        wanted = whole[f"{name}.weight"].astype(np.float16).astype(np.float32) * mask.numpy()
        np.testing.assert_array_equal(dense.reshape(mask.shape), wanted)
        assert stored[f"{name}.weight.gaps"].dtype == np.uint8
    shapes = [whole[f"{name}.weight"].shape for name in record["layers"]]
    # of what is left over when the inputs are divided by four, all stay
    over = sum(out * (into % 4) for out, into in shapes) if "pattern" in knobs else 0
    total = sum(out * into for out, into in shapes) - over
    assert kept == pytest.approx((1 - knobs["sparsity"]) * total + over, abs=len(shapes) + 1)
    assert bridges < 0.1 * kept


def test_of_every_four_weights_two_stay() -> None:
    model, (record,) = applied(transform("weights", {"sparsity": 0.5, "pattern": "2:4"}))
    for name in record["layers"]:
        mask = model.dense.get_submodule(name).get_buffer("mask")
        whole = mask.shape[1] // 4 * 4
        assert (mask[:, :whole].reshape(len(mask), -1, 4).sum(dim=2) == 2).all()


def test_integers_at_other_bits_are_refused() -> None:
    with pytest.raises(ValidationError, match="bits 4 needs activations=float"):
        transform("quantize_dense", {"bits": 4})


@pytest.mark.parametrize("knobs", EXAMPLES["channels"], ids=lambda knobs: str(knobs["importance"]))
def test_channel_widths_in_the_file_are_the_recorded_ones(knobs: dict[str, Any], exported: Exporter) -> None:
    model, (record,) = applied(transform("channels", knobs))
    stored, whole = initializers(exported(model)), initializers(exported(new_model(), "whole"))
    assert set(record["kept"]) == {"cross.0.down", "tower.0", "tower.3"}
    for name, kept in record["kept"].items():
        assert stored[f"{name}.weight"].shape[0] == len(kept)
    assert stored["cross.0.up.weight"].shape[1] == len(record["kept"]["cross.0.down"])
    assert stored["tower.3.weight"].shape[1] == len(record["kept"]["tower.0"])
    removed = sum(whole[f"{name}.weight"].shape[0] - len(kept) for name, kept in record["kept"].items())
    assert removed == pytest.approx(knobs["ratio"] * 64, abs=8)


def test_channels_keep_the_weights_of_what_is_recorded() -> None:
    model, (record,) = applied(example("channels"))
    before, kept = new_model().dense.state_dict(), record["kept"]
    torch.testing.assert_close(model.dense.state_dict()["tower.0.weight"], before["tower.0.weight"][kept["tower.0"]])
    inner = before["tower.3.weight"][kept["tower.3"]][:, kept["tower.0"]]
    torch.testing.assert_close(model.dense.state_dict()["tower.3.weight"], inner)


@pytest.mark.parametrize("scope", ["layer", "global"])
def test_channels_of_ratio_zero_remove_nothing(scope: str) -> None:
    narrow = SHAPE.model_copy(update={"tower": (20, 12), "cross_rank": 10})
    model = new_model(shape=narrow)
    record = transform("channels", {"ratio": 0.0, "scope": scope}).apply(model, new_context())
    widths = {name: len(kept) for name, kept in record["kept"].items()}
    assert widths == {"cross.0.down": 10, "tower.0": 20, "tower.3": 12}
