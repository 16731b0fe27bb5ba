"""Negatives of implicit pairs: never a known pair, drawn as asked, the same in every run."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy

from autocompress.data.implicit import Pairs, known_pairs, rows
from autocompress.data.negatives import Negatives, draw, keys, log_q, probabilities
from autocompress.errors import UserError
from autocompress.training.in_batch import in_batch_logits

pairs_of = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 11)), min_size=1, max_size=30, unique=True)


@given(pairs_of, st.sampled_from(["uniform", "popularity"]), st.integers(1, 5), st.integers(0, 3))
def test_a_negative_is_an_item_of_the_catalogue_and_never_a_known_pair(
    given_pairs: list[tuple[int, int]], by: str, each: int, seed: int
) -> None:
    users, items = (np.array(column, dtype=np.int64) for column in zip(*given_pairs, strict=True))
    items = np.append(items, 12)  # one item that nobody of these has
    users = np.append(users, 6)
    known = known_pairs(users, items, 13)
    negatives = Negatives.model_validate({"by": by, "each": each, "seed": seed})
    counts = np.bincount(items, minlength=13)
    taken = np.bincount(users)
    if (taken[users] >= (counts > 0).sum()).any():
        return
    drawn = draw(users, 0, known, probabilities(counts, counts > 0, negatives), negatives)
    assert drawn.shape == (len(users), each)
    assert not np.isin(keys(np.repeat(users, each), drawn.ravel(), 13), known).any()
    assert (counts[drawn] > 0).all()


def test_parts_draw_what_the_whole_draws() -> None:
    users = np.arange(100, dtype=np.int64) % 7
    known = known_pairs(users, users, 50)
    flat = probabilities(np.zeros(50, dtype=np.int64), np.ones(50, dtype=bool), Negatives())
    whole = draw(users, 0, known, flat, Negatives())
    np.testing.assert_array_equal(draw(users[40:], 40, known, flat, Negatives()), whole[40:])
    assert not np.array_equal(draw(users, 0, known, flat, Negatives(seed=1)), whole)


@pytest.mark.parametrize(
    ("negatives", "wanted"),
    [
        (Negatives(by="uniform", each=50), [1 / 3, 1 / 3, 1 / 3]),
        (Negatives(by="popularity", power=1.0, each=50), [0.1, 0.3, 0.6]),
        (Negatives(by="popularity", power=0.5, each=50), np.sqrt([0.1, 0.3, 0.6]) / np.sqrt([0.1, 0.3, 0.6]).sum()),
    ],
)
def test_items_are_drawn_as_often_as_they_should_be(negatives: Negatives, wanted: list[float]) -> None:
    users = np.zeros(2000, dtype=np.int64)
    chances = probabilities(np.array([0, 99, 299, 599]), np.array([False, True, True, True]), negatives)
    drawn = draw(users, 0, np.array([0]), chances, negatives)
    shares = np.bincount(drawn.ravel(), minlength=4) / drawn.size
    assert shares[0] == 0
    np.testing.assert_allclose(shares[1:], wanted, atol=0.006)


def test_a_user_who_has_everything_is_named() -> None:
    users = np.full(3, 8, dtype=np.int64)
    known = known_pairs(users, np.arange(3), 3)
    with pytest.raises(UserError, match=r"data\.negatives: .*user 8 has no pair with"):
        draw(users, 0, known, np.full(3, 1 / 3), Negatives(each=1))


def test_each_pair_is_followed_by_its_negatives_in_its_own_split() -> None:
    users, items = np.array([0, 0, 1]), np.array([0, 1, 2])
    made = Pairs(users, items, np.array([0, 2, 1], dtype=np.uint8), known_pairs(users, items, 3), 3)
    (frame,) = rows(made, Negatives(each=1))
    assert frame["label"].to_list() == [1, 0] * 3
    assert frame["user"].to_list() == [0, 0, 0, 0, 1, 1]
    assert frame["split"].to_list() == ["train", "train", "test", "test", "valid", "valid"]


def test_scores_learnt_in_the_batch_follow_popularity_only_with_the_correction() -> None:
    draws, number, size = np.random.default_rng(0), 100, 128
    share = np.arange(1, number + 1) ** -0.5 / (np.arange(1, number + 1) ** -0.5).sum()
    slopes = {}
    for name, logs in (("corrected", log_q((share * 1e7).astype(np.int64))), ("plain", np.zeros(number, np.float32))):
        scores = torch.zeros(number, requires_grad=True)
        optimiser = torch.optim.Adam([scores], lr=0.03)
        for _ in range(250):
            items = torch.from_numpy(draws.choice(number, size, p=share))
            logits = in_batch_logits(scores[items].expand(size, size), items, torch.from_numpy(logs))
            loss = cross_entropy(logits, torch.arange(size))
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        slopes[name] = np.polyfit(np.log(share), scores.detach().numpy(), 1)[0]
    assert 0.8 < slopes["corrected"] < 1.3
    assert abs(slopes["plain"]) < 0.3


def test_an_item_that_stands_twice_in_a_batch_is_no_negative_of_itself() -> None:
    logits = in_batch_logits(torch.zeros(3, 3), torch.tensor([1, 1, 0]), torch.zeros(2))
    assert torch.isinf(logits).tolist() == [[False, True, False], [True, False, False], [False, False, False]]
