"""Retrieval over a whole catalogue, against a slow and plain reading of its definition."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from autocompress.data.cleaning import Cleaning
from autocompress.data.inputs import Inputs
from autocompress.data.source import Split
from autocompress.data.sources.ads_simulator import AdsSimulator
from autocompress.data.sources.session_simulator import SessionSimulator
from autocompress.data.store import Dataset, prepare
from autocompress.errors import UserError
from autocompress.measure import catalogue as measured
from autocompress.measure.catalogue import BLOCK, ITEM, LEAST_USERS, USER, Catalogue, catalogue_of


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    source = SessionSimulator(users=300, items=200, history=5)
    return prepare(source, Cleaning(), tmp_path_factory.mktemp("cache"))


def vectors() -> NDArray[np.float32]:
    return np.random.default_rng(3).integers(-3, 4, (500, 3)).astype(np.float32)


def run(inputs: Inputs) -> dict[str, NDArray[np.float32]]:
    """Vectors of a model that knows nothing, but the same thing of an id each time; many scores are equal."""
    nothing = np.zeros((len(inputs), 1), dtype=np.float32)
    return {"scores": nothing, USER: vectors()[inputs.ids[:, 0]], ITEM: vectors()[inputs.ids[:, 1]]}


def taken_in(dataset: Dataset, split: Split) -> list[tuple[int, int, int]]:
    """(group, user id, item id) of each positive row."""
    groups = dataset.groups(split)
    assert groups is not None
    rows = zip(groups.tolist(), dataset.ids(split)[:, :2].tolist(), dataset.labels(split)[:, 0].tolist(), strict=True)
    return [(group, user, item) for group, (user, item), label in rows if label]


def plainly(dataset: Dataset, split: Split) -> dict[str, float]:
    table = vectors()
    known = sorted({int(item) for item in dataset.ids("train")[:, 1]} - {0})
    earlier: tuple[Split, ...] = ("train",) if split == "valid" else ("train", "valid")
    gains, recalls = [], []
    rows = {part: taken_in(dataset, part) for part in (*earlier, split)}
    for user in sorted({user for user, _, _ in rows[split]}):
        wanted = [item for of, _, item in rows[split] if of == user]
        user_id = next(code for of, code, _ in rows[split] if of == user)
        taken = {item for part in earlier for of, _, item in rows[part] if of == user}
        scores = {item: float(table[user_id] @ table[item]) for item in known}
        gain = found = 0.0
        for item in wanted:
            if item == 0:
                continue
            own = scores[item] if item not in taken else -np.inf
            before = sum((scores[other] if other not in taken else -np.inf) >= own for other in known if other != item)
            if before < 10:
                found += 1
                gain += 1 / np.log2(before + 2)
        ideal = sum(1 / np.log2(place + 2) for place in range(min(10, len(wanted))))
        gains.append(gain / ideal)
        recalls.append(found / len(wanted))
    return {"catalogue_ndcg@10": float(np.mean(gains)), "catalogue_recall@10": float(np.mean(recalls))}


@pytest.mark.parametrize("split", ["valid", "test"])
def test_it_is_what_the_definition_says(dataset: Dataset, split: Split) -> None:
    found = catalogue_of(dataset, split, "item").values(run)
    wanted = plainly(dataset, split)
    assert {name: float(each.mean()[0]) for name, each in found.items()} == pytest.approx(wanted)
    assert 0 < wanted["catalogue_ndcg@10"] < wanted["catalogue_recall@10"] < 0.5


@pytest.mark.parametrize("several", [1, 9, BLOCK, 3 * BLOCK + 5, 9 * BLOCK, 20 * BLOCK + 1])
def test_the_first_ranks_are_those_of_a_sorted_catalogue_of_any_size(
    several: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measured, "SCORES", 1)  # several chunks of users
    users, draw = 2 * LEAST_USERS + 8, np.random.default_rng(several)
    codes = np.arange(several, dtype=np.int32)[:, None]
    person, item = (draw.integers(-9, 10, (rows, 3)).astype(np.float32) for rows in (users, several))
    wanted = np.stack([np.repeat(np.arange(users), 5), draw.integers(0, several, 5 * users)], axis=1)
    asked = Catalogue(Inputs(codes), Inputs(np.zeros((users, 1), np.int32)), wanted, np.empty((0, 2), np.int64))
    found = asked.ranks(lambda inputs: {USER: person, ITEM: item})
    scores = person @ item.T
    plain = np.array([(scores[of] >= scores[of, what]).sum() - 1 for of, what in wanted])
    assert (found[plain < 10] == plain[plain < 10]).all()
    assert (found[plain >= 10] >= 10).all()


def test_fewer_users_are_some_of_all_users(dataset: Dataset) -> None:
    whole, some = catalogue_of(dataset, "test", "item"), catalogue_of(dataset, "test", "item", 50)
    assert (len(whole.users), len(some.users)) == (300, 50)
    assert {tuple(row) for row in some.users.ids} <= {tuple(row) for row in whole.users.ids}
    assert len(some.items) == len(whole.items)


def test_what_the_data_or_the_model_lack_is_named(dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"catalogue=itm: no field.*did you mean 'item'"):
        catalogue_of(dataset, "test", "itm")
    ads = prepare(AdsSimulator(rows=3_000), Cleaning(), tmp_path)
    with pytest.raises(UserError, match="2 tasks"):
        catalogue_of(ads, "test", "ad_id")
    with pytest.raises(UserError, match="no vectors"):
        catalogue_of(dataset, "test", "item").values(lambda inputs: {"scores": run(inputs)["scores"]})
