"""Leaks that were planted are found, those of a real log are found, and honest inputs are left alone.

Margins on the training rows, where AUC .9 or a condition's rate of .9 (and ten times the odds) make a leak:

- KuaiRand, click (base .44). By AUC: play_time_ms .978, watch_ratio .916. By a condition, at its lower bound: long_view
  and long_watch .996, finish .994, is_positive .986, comment_stay_time .964, is_comment .950, is_profile_enter .920.
  Reported as doubtful (.75, four times the odds): is_forward .856, is_like and like .807, is_follow .781. Honest inputs
  reach an AUC of .667 (video_id) and a rate of .540. Not found: is_hate (144 rows) and profile_stay_time (16 rows).
- Census-Income (base .062): AUC .866 (det_occ_code), rate .309. For a label of 0: "num_emp is 0" moves the odds by 9
  and covers .51 of the label's rows, "tax_filer_stat is nonfiler" by 88 and covers .40; 50 and .5 make a leak.
- Simulator: AUC .616 (campaign).
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from autocompress.data import leaks, spool
from autocompress.data.cleaning import Cleaning, ColumnReport, inspect
from autocompress.data.sources.ads_simulator import AdsSimulator
from autocompress.data.sources.kuairand import KuaiRand
from autocompress.data.split import TEST, TRAIN, VALID
from autocompress.schema import Field, Schema, Sequence, Task, Vector

DATA = Path(__file__).parents[3] / "shared" / "data"
KUAIRAND, CENSUS = DATA / "kuairand_pure", DATA / "census_income_kdd"
needs_kuairand = pytest.mark.skipif(not KUAIRAND.is_dir(), reason=f"{KUAIRAND} is absent")
needs_census = pytest.mark.skipif(not CENSUS.is_dir(), reason=f"{CENSUS} is absent")

NUMBERS = {
    "duration_ms", "video_duration", "freshness_days", "play_time_ms", "profile_stay_time", "comment_stay_time",
    "watch_ratio",
}  # fmt: skip
LEAKS = {
    "play_time_ms", "watch_ratio", "long_view", "long_watch", "finish", "is_positive", "comment_stay_time",
    "is_comment", "is_profile_enter",
}  # fmt: skip
DOUBTFUL = {"is_like", "like", "is_follow", "is_forward"}
CONSTANT = {"is_rand", "source_file"}
CENSUS_NUMBERS = {
    "age", "wage_per_hour", "capital_gains", "capital_losses", "stock_dividends", "num_emp", "weeks_worked",
}  # fmt: skip

ROWS = 20_000
Reports = dict[str, ColumnReport]


def reports(frame: pl.DataFrame, schema: Schema, split: NDArray[np.uint8]) -> Reports:
    with TemporaryDirectory() as folder:
        rows = spool.write([frame], schema, None, Path(folder))
        return {each.name: each for each in inspect(rows, split, Cleaning(leaks="drop"))}


def by_day(days: pl.Series, valid: int, test: int) -> NDArray[np.uint8]:
    codes = (days >= valid).cast(pl.UInt8) + (days >= test).cast(pl.UInt8)
    return codes.to_numpy()


def suspects(found: Reports) -> set[str]:
    return {name for name, each in found.items() if each.dropped is not None and "leak" in each.dropped}


def doubtful(found: Reports) -> set[str]:
    return {name for name, each in found.items() if any("consequence" in text for text in each.warnings)}


@pytest.fixture(scope="module")
def kuairand_log() -> Reports:
    frame = pl.read_parquet(KUAIRAND / "log_standard_*.parquet")
    names = [name for name in frame.columns if name not in ("is_click", "time_ms", "date")]
    fields = tuple(Field(name=name, kind="numeric" if name in NUMBERS else "categorical") for name in names)
    schema = Schema(fields=fields, tasks=(Task(name="click", label="is_click"),), time="time_ms")
    return reports(frame, schema, by_day(frame["date"], 20220505, 20220507))


@needs_kuairand
def test_consequences_of_a_real_impression_are_suspect(kuairand_log: Reports) -> None:
    assert suspects(kuairand_log) == LEAKS


@needs_kuairand
def test_rare_consequences_of_a_real_impression_are_named(kuairand_log: Reports) -> None:
    assert doubtful(kuairand_log) == DOUBTFUL


@needs_kuairand
def test_causes_of_a_real_impression_are_left_alone(kuairand_log: Reports) -> None:
    clean = {name for name, each in kuairand_log.items() if each.dropped is None and not each.warnings}
    assert clean >= {
        "user_id", "video_id", "tab", "duration_ms", "author_id", "tag", "hourmin", "video_duration", "freshness_days",
    }  # fmt: skip
    assert {name for name, each in kuairand_log.items() if each.dropped is not None} == LEAKS | CONSTANT


@needs_kuairand
def test_the_joined_inputs_of_kuairand_are_left_alone() -> None:
    source = KuaiRand(root=KUAIRAND)
    frame = pl.concat(source.chunks())
    found = reports(frame, source.row_schema(), by_day(frame["date"], 20220505, 20220507))
    assert (suspects(found), doubtful(found)) == (set(), set())


@needs_census
def test_the_inputs_of_census_income_are_left_alone() -> None:
    frame = pl.read_parquet(CENSUS / "*.parquet").with_columns(
        income=pl.col("income_50k").str.contains("50000+", literal=True).cast(pl.Int8)
    )
    left_out = {"income_50k", "income", "unknown", "__index_level_0__"}
    names = [name for name in frame.columns if name not in left_out]
    fields = tuple(Field(name=name, kind="numeric" if name in CENSUS_NUMBERS else "categorical") for name in names)
    schema = Schema(fields=fields, tasks=(Task(name="income", label="income"),))
    found = reports(
        frame, schema, (np.arange(frame.height) % 10 // 8 * (1 + np.arange(frame.height) % 2)).astype(np.uint8)
    )
    assert (suspects(found), doubtful(found)) == (set(), set())
    assert 0.83 < max(each.auc or 0 for each in found.values()) < 0.88


def test_the_inputs_of_the_simulator_are_left_alone() -> None:
    source = AdsSimulator(rows=50_000)
    frame = pl.concat(source.chunks())
    found = reports(frame, source.row_schema(), by_day(frame["day"], 8, 9))
    assert (suspects(found), doubtful(found)) == (set(), set())
    assert max(each.auc or 0 for each in found.values()) < 0.7


def planted(values: dict[str, Any], labels: NDArray[Any], kind: str = "numeric", **changes: Any) -> Reports:
    schema = Schema(
        fields=tuple(Field(name=name, kind=kind, **changes) for name in values), tasks=(Task(name="t", label="label"),)
    )
    split = np.repeat(np.array([TRAIN, VALID, TEST], dtype=np.uint8), [ROWS - 4_000, 2_000, 2_000])
    return reports(pl.DataFrame({**values, "label": labels}), schema, split)


def drawn(base: float, seed: int = 0) -> tuple[np.random.Generator, NDArray[np.int8]]:
    draw = np.random.default_rng(seed)
    return draw, (draw.random(ROWS) < base).astype(np.int8)


@pytest.mark.parametrize("kind", ["numeric", "categorical"])
@pytest.mark.parametrize("base", [0.02, 0.3, 0.7])
def test_a_column_that_is_missing_exactly_where_the_label_is_0_is_suspect(base: float, kind: str) -> None:
    draw, labels = drawn(base)
    values = pl.Series(np.where(labels == 1, draw.integers(0, 500, ROWS), np.nan)).fill_nan(None)
    found = planted({"x": values, "honest": draw.integers(0, 500, ROWS)}, labels, kind)
    assert suspects(found) == {"x"}


@pytest.mark.parametrize("base", [0.1, 0.3, 0.7])
def test_a_column_that_is_missing_only_where_the_label_is_0_is_suspect(base: float) -> None:
    """It is not always missing there: no ranking is perfect and no value decides for 1."""
    draw, labels = drawn(base)
    gone = (labels == 0) & (draw.random(ROWS) < 0.7)
    found = planted({"x": pl.Series(np.where(gone, np.nan, draw.random(ROWS))).fill_nan(None)}, labels)
    assert found["x"].auc is not None
    assert found["x"].auc < 0.9
    assert suspects(found) == {"x"}


@pytest.mark.parametrize("kind", ["numeric", "categorical"])
def test_a_copy_of_the_label_with_noise_is_suspect(kind: str) -> None:
    draw, labels = drawn(0.3)
    copy = np.where(draw.random(ROWS) < 0.1, draw.integers(0, 2, ROWS), labels)
    assert suspects(planted({"x": copy}, labels, kind)) == {"x"}


@pytest.mark.parametrize("base", [0.02, 0.3])
def test_a_delayed_counter_is_suspect(base: float) -> None:
    """It counts a user's events, this one among them where it came in late."""
    draw, labels = drawn(base)
    history, late = draw.poisson(0.05, ROWS), draw.random(ROWS) < 0.95
    found = planted({"x": history + labels * late, "honest": history}, labels)
    assert suspects(found) == {"x"}


@pytest.mark.parametrize("base", [0.1, 0.3])
def test_a_value_of_few_that_decides_the_label_is_suspect(base: float) -> None:
    draw, labels = drawn(base)
    status = np.where(labels == 1, draw.choice(["opened", "bought"], ROWS), draw.choice(["shown", "closed"], ROWS))
    status = np.where(draw.random(ROWS) < 0.5, "unknown", status)
    assert suspects(planted({"x": status}, labels, "categorical")) == {"x"}


def test_rare_ids_do_not_rank_the_rows_they_were_learnt_from() -> None:
    draw, labels = drawn(0.3)
    found = planted({"x": np.arange(ROWS), "y": draw.integers(0, ROWS // 2, ROWS)}, labels, "categorical")
    assert found["x"].auc == pytest.approx(0.5, abs=0.02)
    assert found["y"].auc == pytest.approx(0.5, abs=0.02)


def test_hashed_ids_are_ranked_by_bucket() -> None:
    _, labels = drawn(0.3)
    found = planted(
        {"x": pl.Series(labels).replace_strict({0: None, 1: "yes"})}, labels, "categorical", encoding="hash"
    )
    assert suspects(found) == {"x"}


@pytest.mark.parametrize("base", [0.001, 0.02, 0.5, 0.98])
def test_noise_is_never_suspect(base: float) -> None:
    draw, labels = drawn(base, seed=5)
    values = {
        "flag": draw.random(ROWS) < 0.01,
        "few": draw.integers(0, 40, ROWS),
        "many": draw.integers(0, 4_000, ROWS),
        "gappy": pl.Series(np.where(draw.random(ROWS) < 0.5, np.nan, draw.random(ROWS))).fill_nan(None),
    }
    for kind in ("numeric", "categorical"):
        found = planted(values, labels, kind)
        assert (suspects(found), doubtful(found)) == (set(), set())


def test_a_handful_of_positives_makes_nothing_suspect() -> None:
    """Of many inputs one ranks five positives to the top by chance."""
    draw, _ = drawn(0.5)
    labels = np.zeros(ROWS, dtype=np.int8)
    labels[draw.choice(ROWS - 4_000, 5, replace=False)] = 1
    found = planted({f"x{n}": draw.random(ROWS) for n in range(100)}, labels)
    assert max(each.auc or 0 for each in found.values()) > 0.8
    assert (suspects(found), doubtful(found)) == (set(), set())


def test_a_value_of_many_that_holds_little_of_the_label_is_left_alone() -> None:
    """One page of thirty that logs nothing but clicks is a quirk of the page."""
    draw, labels = drawn(0.4)
    page = draw.integers(0, 30, ROWS)
    found = planted({"page": page}, np.where(page == 3, 1, labels), "categorical")
    assert (suspects(found), doubtful(found)) == (set(), set())


def test_a_group_that_cannot_be_positive_is_left_alone() -> None:
    draw, labels = drawn(0.1)
    child = draw.random(ROWS) < 0.3
    found = planted({"x": child}, np.where(child, 0, labels), "categorical")
    assert (suspects(found), doubtful(found)) == (set(), set())


def test_a_child_is_judged_where_its_parent_is_1() -> None:
    """`order` follows the conversion and says nothing of the click; `tick` knows the click, and is found there."""
    draw, click = drawn(0.2)
    bought = click * (draw.random(ROWS) < 0.3)
    schema = Schema(
        fields=(Field(name="order", kind="numeric"), Field(name="tick"), Field(name="honest")),
        tasks=(Task(name="click", label="click"), Task(name="buy", label="bought", parent="click")),
    )
    columns = {
        "order": np.where(click, bought, draw.random(ROWS) < 0.3),
        "tick": click,
        "honest": draw.integers(0, 9, ROWS),
    }
    frame = pl.DataFrame({**columns, "click": click, "bought": bought.astype(np.int8)})
    split = (np.arange(ROWS) % 10 // 8 * (1 + np.arange(ROWS) % 2)).astype(np.uint8)
    found = reports(frame, schema, split)
    assert suspects(found) == {"order", "tick"}
    assert "ranks bought" in str(found["order"].dropped)
    assert "ranks click" in str(found["tick"].dropped)


def test_vectors_are_ranked_by_their_best_dimension_and_lists_by_being_empty() -> None:
    draw, labels = drawn(0.3)
    schema = Schema(
        fields=(Field(name="honest"),),
        tasks=(Task(name="t", label="label"),),
        sequences=(Sequence(name="bought"), Sequence(name="seen")),
        vectors=(Vector(name="state", width=3), Vector(name="picture", width=3)),
    )
    noise = draw.random((ROWS, 3)).astype(np.float32)
    frame = pl.DataFrame(
        {
            "honest": draw.integers(0, 9, ROWS),
            "bought": [[3] * int(label) for label in labels],
            "seen": [[3, 4][:length] for length in draw.integers(0, 3, ROWS)],
            "state": np.column_stack([noise[:, 0], labels + noise[:, 1], noise[:, 2]]),
            "picture": noise,
            "label": labels,
        }
    ).with_columns(pl.col("state", "picture").arr.to_list())
    split = (np.arange(ROWS) % 10 // 8 * (1 + np.arange(ROWS) % 2)).astype(np.uint8)
    found = reports(frame, schema, split)
    assert suspects(found) == {"bought", "state"}
    assert found["bought"].auc is None
    assert found["state"].auc == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("cleaning", "guessed", "stays"),
    [
        ({}, True, False),
        ({}, False, True),
        ({"leaks": "drop"}, False, False),
        ({"leaks": "keep"}, True, True),
        ({"keep": ("x",)}, True, True),
    ],
)
def test_a_suspect_is_dropped_where_nobody_named_it_and_else_reported(
    cleaning: dict[str, Any], guessed: bool, stays: bool, tmp_path: Path
) -> None:
    _, labels = drawn(0.3)
    schema = Schema(fields=(Field(name="x"),), tasks=(Task(name="t", label="label"),), guessed=guessed)
    rows = spool.write([pl.DataFrame({"x": labels, "label": labels})], schema, None, tmp_path)
    split = (np.arange(ROWS) % 10 // 8 * (1 + np.arange(ROWS) % 2)).astype(np.uint8)
    found = inspect(rows, split, Cleaning(**cleaning))[0]
    assert (found.dropped is None) == stays
    assert any("suspected leak" in text for text in found.warnings) == stays


def test_an_auc_is_that_of_all_pairs() -> None:
    rows, positives = np.array([3, 2, 4]), np.array([1, 0, 3])
    scores = np.repeat([0, 1, 2], rows)
    labels = np.concatenate([[1, 0, 0], [0, 0], [1, 1, 1, 0]])
    pairs = [(a > b) + (a == b) / 2 for a in scores[labels == 1] for b in scores[labels == 0]]
    assert leaks.ranked(rows, positives) == pytest.approx(np.mean(pairs))
    assert leaks.ranked(rows, np.zeros(3, dtype=np.int64)) is None
