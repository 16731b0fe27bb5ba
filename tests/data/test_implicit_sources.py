"""Gowalla and the Amazon sequences: pairs and histories exactly as the published files say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from autocompress.data.cleaning import Cleaning
from autocompress.data.sources.amazon_sequences import AmazonSequences
from autocompress.data.sources.gowalla import ADJACENCY, ITEMS, USERS, Gowalla
from autocompress.data.store import prepare
from autocompress.errors import UserError

SHARED = Path(__file__).parents[3] / "shared" / "data"
GOWALLA, SEQUENCES = SHARED / "gowalla", SHARED / "sequences"
needs_gowalla = pytest.mark.skipif(not GOWALLA.is_dir(), reason=f"{GOWALLA} is absent")
needs_sequences = pytest.mark.skipif(not SEQUENCES.is_dir(), reason=f"{SEQUENCES} is absent")
BEAUTY = "1 1 2 3 4\n2 5 6\n3 2 1 7\n"


def beauty(folder: Path, text: str = BEAUTY, **settings: Any) -> AmazonSequences:
    (folder / "Beauty.txt").write_text(text)
    return AmazonSequences.model_validate({"root": folder, "negatives": {"each": 1}, **settings})


def gowalla(folder: Path, train: str = "0 1 2\n1 3\n", test: str = "0 4\n1 1\n", **settings: Any) -> Gowalla:
    (folder / "train.txt").write_text(train)
    (folder / "test.txt").write_text(test)
    return Gowalla.model_validate({"root": folder, **settings})


def test_an_item_comes_with_those_before_it_and_the_last_two_are_held_out(tmp_path: Path) -> None:
    frame = pl.concat(beauty(tmp_path, history=2).chunks()).filter(pl.col("label") == 1)
    assert frame.drop("label").rows() == [
        (1, 1, "train", []), (1, 2, "train", [1]), (1, 3, "valid", [1, 2]), (1, 4, "test", [2, 3]),
        (2, 5, "train", []), (2, 6, "train", [5]),
        (3, 2, "train", []), (3, 1, "valid", [2]), (3, 7, "test", [2, 1]),
    ]  # fmt: skip


def test_negatives_are_items_that_exist_and_that_the_user_never_had(tmp_path: Path) -> None:
    frame = pl.concat(beauty(tmp_path, negatives={"each": 3}).chunks())
    had = {1: {1, 2, 3, 4}, 2: {5, 6}, 3: {2, 1, 7}}
    for user, item, label in frame.select("user", "item", "label").iter_rows():
        assert 1 <= item <= 7
        assert (item in had[user]) == bool(label)


def test_pairs_are_split_as_published(tmp_path: Path) -> None:
    frame = pl.concat(gowalla(tmp_path, valid=0.01).chunks())
    pairs = frame.filter(pl.col("label") == 1).select("user", "item", "split").rows()
    assert pairs == [(0, 1, "train"), (0, 2, "train"), (1, 3, "train"), (0, 4, "test"), (1, 1, "test")]
    assert frame.height == 5 * 5


def test_validation_pairs_are_a_share_of_the_training_pairs(tmp_path: Path) -> None:
    train = "\n".join(f"{user} {' '.join(map(str, range(user % 2, 100, 2)))}" for user in range(200))
    frame = pl.concat(gowalla(tmp_path, train, valid=0.2, negatives={"each": 1}).chunks())
    counts = dict(frame["split"].value_counts().iter_rows())
    assert counts["test"] == 4
    assert counts["valid"] / (counts["valid"] + counts["train"]) == pytest.approx(0.2, abs=0.02)


@pytest.mark.parametrize(
    ("train", "said"),
    [
        ("0 1 2\n1 x\n", r"train\.txt has '1 x' in row 2: allowed are whole numbers"),
        ("0 1 2\n0 3\n", r"train\.txt has two lines of user 0"),
        ("0\n", r"train\.txt has no pairs"),
        ("", r"train\.txt has no pairs"),
    ],
)
def test_a_broken_line_is_named_with_file_and_row(tmp_path: Path, train: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        list(gowalla(tmp_path, train).chunks())


def test_a_user_without_items_has_no_pairs(tmp_path: Path) -> None:
    frame = pl.concat(gowalla(tmp_path, "0 1 2\n1 3\n2 \n").chunks())
    assert set(frame["user"].to_list()) == {0, 1}


def test_missing_files_are_named_with_where_they_come_from(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"has neither train\.txt and test\.txt nor s_adj_mat\.npz: get them from http"):
        Gowalla(root=tmp_path).content_digest()
    with pytest.raises(UserError, match=r"has no file Beauty\.txt: get .* from https"):
        AmazonSequences(root=tmp_path).content_digest()


@pytest.mark.parametrize("wrong", [b"PK\x03\x04", b"no archive"])
def test_a_matrix_that_is_none_is_named(tmp_path: Path, wrong: bytes) -> None:
    (tmp_path / ADJACENCY).write_bytes(wrong)
    with pytest.raises(UserError, match=r"is no sparse matrix"):
        list(Gowalla(root=tmp_path).chunks())


def test_a_matrix_of_another_graph_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / ADJACENCY, indices=np.zeros(1), indptr=np.zeros(3), shape=np.array([2, 2]))
    with pytest.raises(UserError, match=r"is 2 x 2: wanted is 70,839"):
        list(Gowalla(root=tmp_path).chunks())


@needs_gowalla
def test_the_real_matrix_holds_the_published_training_pairs() -> None:
    users, items, _ = Gowalla(root=GOWALLA)._pairs()
    assert len(users) == 810_128
    assert (users.min(), users.max(), items.min(), items.max()) == (0, USERS - 1, 0, ITEMS - 1)


@needs_sequences
def test_the_real_sequences_are_as_many_as_published_and_their_histories_reach_the_store(tmp_path: Path) -> None:
    source = AmazonSequences.model_validate({"root": SEQUENCES, "history": 5, "negatives": {"each": 1}})
    frame = pl.concat(source.chunks())
    assert frame.filter(pl.col("label") == 1).height == 198_502
    assert frame["user"].n_unique() == 22_363
    made = prepare(source, Cleaning(), tmp_path)
    assert made.ids("test").shape == (2 * 22_363, 2 + 5)
    assert (made.ids("test")[:, -1] >= 0).all()
