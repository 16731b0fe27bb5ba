"""What every source of rows promises, and what is true of each of ours alone.

The real log is read from `../shared/data`, beside the repository; its tests are skipped by name where it is absent.
"""

from __future__ import annotations

import atexit
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from pydantic import ValidationError

from autocompress import family
from autocompress.data.cleaning import Cleaning
from autocompress.data.cleaning_report import report_lines
from autocompress.data.encode import encode_inputs
from autocompress.data.rows import read_rows, write_rows
from autocompress.data.source import CHUNK, PACKAGE, SPLITS, TRUTH, RowSource, Split
from autocompress.data.sources.ads_simulator import AdsSimulator
from autocompress.data.sources.kuairand import HISTORY, LOGS, USERS, VIDEOS, KuaiRand
from autocompress.data.split import ByColumn
from autocompress.data.store import Dataset, prepare
from tests.contracts import example_logs

SHARED = Path(__file__).parents[3] / "shared" / "data"
KUAIRAND, CENSUS, CRITEO = SHARED / "kuairand_pure", SHARED / "census_income_kdd", SHARED / "criteo_raw8k"
SEQUENCES = SHARED / "sequences"
EXAMPLES: dict[str, dict[str, Any]] = {
    "ads_simulator": {"rows": 20_000},
    "amazon_sequences": {"root": SEQUENCES, "history": 10, "negatives": {"each": 1}},
    "census_income": {"root": CENSUS},
    "criteo": {"root": CRITEO, "files": ["train.csv", "dev.csv", "test.csv"]},
    "kuairand": {"root": KUAIRAND},
    "feed_simulator": {"rows": 20_000},
    "search_simulator": {"rows": 20_000},
    "session_simulator": {"users": 400, "items": 300},
    "shop_simulator": {"rows": 20_000},
}
NEEDS = {kind: example["root"] for kind, example in EXAMPLES.items() if "root" in example}
WRITTEN = {
    "ali_ccp": example_logs.ali_ccp,
    "avazu": example_logs.avazu,
    "frappe": example_logs.frappe,
    "gowalla": example_logs.gowalla,
    "movielens": example_logs.movielens,
    "table": example_logs.table,
}
"""Sets that are not at hand: their example is written into a folder, once."""
SIMULATORS = {
    "ads_simulator": ("click", "conversion"),
    "feed_simulator": ("click", "finish"),
    "search_simulator": ("click",),
    "shop_simulator": ("click", "purchase"),
}
PUBLIC = tuple(kind for kind in (*EXAMPLES, *WRITTEN) if kind not in (*SIMULATORS, "session_simulator", "table"))
LEAKS = {
    "play_time_ms", "watch_ratio", "finish", "like", "long_watch", "is_positive", "profile_stay_time",
    "comment_stay_time", "is_profile_enter", "is_like", "is_follow", "is_comment", "is_forward", "is_hate",
    "source_file",
}  # fmt: skip
"""What follows from an impression of KuaiRand, and its constant column."""
KNOWN_CONSTANT = {"kuairand": {"is_rand", "is_lowactive_period"}}
"""Fields that say nothing in the slice that we have, though they do in the published log."""
EXCEPTIONS = {"ads_simulator": 0.0, "ali_ccp": 0.0, "feed_simulator": 0.0, "kuairand": 0.002, "shop_simulator": 0.0}
"""Share of the rows in which a child task may be 1 without its parent: KuaiRand's tabs 11 and 14 record no click."""
IMPLIED = {("census_income", "age")}
"""Inputs that come near to a label without following from it: children are never married."""
BY_ITEM: set[str] = set()
"""Sources that split within each user: their splits overlap in time."""
LATE = {"kuairand": 3_600_000}
"""Units of time by which the clock of a row may run behind its day (KuaiRand's days end up to an hour late)."""

needs_kuairand = pytest.mark.skipif(not KUAIRAND.is_dir(), reason=f"{KUAIRAND} is absent")
every_source = pytest.mark.parametrize(
    "kind",
    [
        pytest.param(kind, marks=pytest.mark.skipif(not NEEDS[kind].is_dir(), reason=f"{NEEDS[kind]} is absent"))
        if kind in NEEDS
        else kind
        for kind in (*EXAMPLES, *WRITTEN)
    ],
)


@cache
def written(kind: str) -> dict[str, Any]:
    folder = TemporaryDirectory()
    atexit.register(folder.cleanup)
    return WRITTEN[kind](Path(folder.name))


def source(kind: str, **changes: Any) -> RowSource:
    example = written(kind) if kind in WRITTEN else EXAMPLES[kind]
    return cast(RowSource, family.parse(PACKAGE, {"kind": kind, **example, **changes}))


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Dataset]:
    folder = tmp_path_factory.mktemp("cache")
    return cache(lambda kind: prepare(source(kind), Cleaning(), folder))


@cache
def rows(kind: str) -> pl.DataFrame:
    return pl.concat(source(kind).chunks())


@cache
def read(kind: str, split: Split) -> pl.DataFrame:
    """The rows of a split of a source that splits by a column of its own."""
    splitting = source(kind).splitting()
    assert isinstance(splitting, ByColumn)
    return rows(kind).filter(pl.col(splitting.column).cast(pl.String).is_in(getattr(splitting, split)))


def test_every_source_has_an_example() -> None:
    assert {*EXAMPLES, *WRITTEN} == set(family.members(PACKAGE))


@every_source
def test_rows_come_in_parts_with_every_column_and_equal_types(kind: str) -> None:
    schema = source(kind).row_schema()
    wanted = {*schema.input_names, *schema.labels, *schema.keys}
    parts = list(source(kind).chunks())
    assert wanted <= set(parts[0].columns)
    assert all(part.schema == parts[0].schema for part in parts)
    assert all(0 < part.height <= CHUNK for part in parts)


@every_source
def test_labels_are_0_and_1_and_both_are_in_every_split(kind: str, prepared: Callable[[str], Dataset]) -> None:
    for label in source(kind).row_schema().labels:
        assert rows(kind)[label].dtype == pl.Int8
    for split in SPLITS:
        labels = prepared(kind).labels(split)
        assert set(np.unique(labels).tolist()) == {0, 1}
        assert ((labels.mean(axis=0) > 0) & (labels.mean(axis=0) < 1)).all()


@every_source
def test_every_row_is_in_one_split_or_counted_as_dropped(kind: str, prepared: Callable[[str], Dataset]) -> None:
    made = prepared(kind)
    there = np.concatenate([made.log_rows(split) for split in SPLITS])
    assert len(np.unique(there)) == len(there)
    assert len(there) + made.cleaning.split.none == rows(kind).height == made.cleaning.rows.rows


@every_source
def test_rows_are_read_back_in_the_order_of_the_store(kind: str, prepared: Callable[[str], Dataset]) -> None:
    made = prepared(kind)
    frame = read_rows(source(kind), made, "test")
    np.testing.assert_array_equal(encode_inputs(frame, made.encoder).ids, made.ids("test"))
    schema = source(kind).row_schema()
    np.testing.assert_array_equal(frame.select(schema.labels).to_numpy(), made.labels("test"))
    assert set(frame.columns) & set(schema.input_names) <= {*made.schema.input_names, *schema.keys}


@every_source
def test_cleaning_drops_only_what_is_constant_and_suspects_nothing(
    kind: str, prepared: Callable[[str], Dataset]
) -> None:
    columns = prepared(kind).cleaning.columns
    assert {each.name for each in columns if each.dropped is not None} == KNOWN_CONSTANT.get(kind, set())
    suspects = [each.name for each in columns if any("leak" in text for text in each.warnings)]
    assert suspects == [] or kind in {kind for kind, _ in IMPLIED}


@every_source
def test_a_label_is_no_field_and_no_field_copies_a_label(kind: str) -> None:
    schema, frame = source(kind).row_schema(), rows(kind)
    assert not {task.label for task in schema.tasks} & set(schema.field_names)
    for task in schema.tasks:
        label = frame[task.label].to_numpy().astype(np.float64)
        for name in schema.field_names:
            if frame[name].dtype.is_numeric():
                value = frame[name].cast(pl.Float64).fill_null(-1.0).fill_nan(-1.0).to_numpy()
                if value.std() > 0 and (kind, name) not in IMPLIED:
                    assert abs(np.corrcoef(value, label)[0, 1]) < 0.6, f"{name} tells {task.label}"


@every_source
def test_a_child_task_happens_only_where_its_parent_did(kind: str) -> None:
    tasks = {task.name: task for task in source(kind).row_schema().tasks}
    for task in tasks.values():
        if task.parent is not None:
            orphans = rows(kind).filter((pl.col(task.label) == 1) & (pl.col(tasks[task.parent].label) == 0))
            assert orphans.height <= EXCEPTIONS[kind] * rows(kind).height


@every_source
def test_splits_of_a_source_with_a_time_follow_one_another(kind: str, prepared: Callable[[str], Dataset]) -> None:
    schema, made = source(kind).row_schema(), prepared(kind)
    if schema.time is None:
        return
    times = {split: rows(kind)[schema.time][made.log_rows(split)].to_physical().to_numpy() for split in SPLITS}
    for split in SPLITS:
        assert (np.diff(times[split]) >= 0).all()
    for before, after in pairwise(SPLITS):
        assert times[before][-1] < times[after][0] + LATE.get(kind, 0) or kind in BY_ITEM


@every_source
def test_reading_twice_gives_the_same_rows(kind: str) -> None:
    assert_frame_equal(pl.concat(source(kind).chunks()), rows(kind))


@every_source
def test_the_digest_of_an_equal_configuration_is_equal(kind: str) -> None:
    assert source(kind).content_digest() == source(kind).content_digest()
    again = cast(RowSource, family.parse(PACKAGE, source(kind).model_dump(mode="json")))
    assert again.content_digest() == source(kind).content_digest()


@every_source
def test_a_misspelt_key_is_refused_by_name(kind: str) -> None:
    with pytest.raises(ValidationError, match="rwos"):
        source(kind, rwos=1)


def test_an_unknown_kind_is_refused_with_the_nearest() -> None:
    with pytest.raises(ValueError, match="did you mean 'kuairand'"):
        family.parse(PACKAGE, {"kind": "kuairnd"})


@pytest.mark.parametrize("kind", PUBLIC)
def test_a_public_set_says_where_it_is_from_how_it_may_be_used_and_what_to_cite(kind: str) -> None:
    public = cast(Any, family.members(PACKAGE)[kind])
    assert public.address.startswith("https://")
    page = (Path(__file__).parents[2] / "conf" / "data" / f"{kind}.yaml").read_text()
    origin = [public.address, public.licence, public.citation]
    assert [part for part in origin if part == "" or part not in page] == []
    assert not public.synthetic


@every_source
def test_the_origin_of_a_public_set_is_noted_before_the_search(kind: str) -> None:
    public = cast(Any, source(kind))
    notes = " ".join(source(kind).notes())
    assert kind not in PUBLIC or all(part in notes for part in (public.address, public.licence, public.citation))


# rows


def test_written_rows_lack_a_leak_that_cleaning_dropped_and_what_was_found_is_said(tmp_path: Path) -> None:
    example_logs.table(tmp_path)
    log = pl.concat([pl.read_csv(path) for path in sorted(tmp_path.glob("*.csv"))])
    leaky = log.with_columns(paid=pl.when(pl.col("bought") == "yes").then(pl.col("price").abs() + 1).otherwise(0.0))
    leaky.write_csv(tmp_path / "log.csv")
    table = cast(RowSource, family.parse(PACKAGE, {"kind": "table", "path": f"{tmp_path}/log.csv", "label": "bought"}))
    output, said = tmp_path / "rows.parquet", list[str]()
    write_rows(table, Cleaning(), tmp_path / "cache", "test", output, said.append)
    frame, made = pl.read_parquet(output), prepare(table, Cleaning(), tmp_path / "cache")
    assert "paid" in table.row_schema().input_names
    assert set(frame.columns) == {"user_id", "device", "price", "seen", "served at", "bought"}
    np.testing.assert_array_equal(encode_inputs(frame, made.encoder).ids, made.ids("test"))
    assert said == [
        *table.notes(),
        *report_lines(made.cleaning),
        f"{frame.height:,} rows of the test split, 6 columns: {output}",
    ]
    assert any(line.startswith("  paid: suspected leak") for line in said)


# the simulators

every_simulator = pytest.mark.parametrize("kind", SIMULATORS)


def test_simulated_rows_say_that_they_are() -> None:
    synthetic = {kind for kind in (*EXAMPLES, *WRITTEN) if family.members(PACKAGE)[kind].synthetic}  # type: ignore[attr-defined]
    assert synthetic == {*SIMULATORS, "session_simulator"}


@every_simulator
@pytest.mark.parametrize("changes", [{"seed": 2}, {"rows": 20_010}, {"days": 9}])
def test_another_simulation_has_another_digest_and_other_rows(kind: str, changes: dict[str, int]) -> None:
    other = source(kind, **changes)
    assert other.content_digest() != source(kind).content_digest()
    assert not pl.concat(other.chunks()).equals(rows(kind))


def test_a_simulation_has_the_rows_that_were_asked_for() -> None:
    assert [read("ads_simulator", split).height for split in SPLITS] == [16_000, 2_000, 2_000]
    assert [read("shop_simulator", split).height for split in SPLITS] == [15_000, 2_500, 2_500]


def test_context_fields_are_added_and_change_nothing_else() -> None:
    plain, more = rows("ads_simulator"), pl.concat(AdsSimulator(rows=20_000, context_fields=19).chunks())
    assert more.select(plain.columns).equals(plain)
    assert len(source("ads_simulator", context_fields=19).row_schema().fields) == 39


def test_a_long_day_comes_in_parts_that_follow_one_another() -> None:
    parts = list(AdsSimulator(rows=1_200_000, days=3).chunks())
    assert [part.height for part in parts] == [400_000] * 3
    long = AdsSimulator(rows=1_600_000, days=3).chunks()
    first, second = next(long), next(long)
    assert first["day"].to_list()[-1] == second["day"].to_list()[0] == 0
    assert first["hour"].max() == 11
    assert second["hour"].min() == 12


@every_simulator
def test_true_probabilities_stand_beside_every_task_of_a_simulation_and_are_no_fields(kind: str) -> None:
    schema = source(kind).row_schema()
    truths = {name for name in read(kind, "test").columns if name.startswith(TRUTH)}
    assert truths == {TRUTH + task for task in SIMULATORS[kind]}
    assert not truths & set(schema.input_names)


@every_simulator
def test_labels_come_as_often_as_their_true_probability_says(kind: str) -> None:
    frame = read(kind, "train")
    for task in SIMULATORS[kind]:
        probability, label = frame[TRUTH + task].to_numpy().astype(np.float64), frame[task].to_numpy()
        assert ((probability > 0) & (probability < 1)).all()
        for part in np.array_split(np.argsort(probability), 8):
            deviation = np.sqrt((probability[part] * (1 - probability[part])).sum())
            assert abs(label[part].sum() - probability[part].sum()) < 4.5 * deviation


@every_simulator
def test_what_follows_a_click_is_never_likelier_than_the_click(kind: str) -> None:
    frame, (click, *afterwards) = read(kind, "train"), SIMULATORS[kind]
    for after in afterwards:
        assert bool((frame[TRUTH + after] <= frame[TRUTH + click]).all())


@pytest.mark.parametrize(
    ("kind", "item"),
    [
        ("ads_simulator", "ad_id"),
        ("feed_simulator", "user_id"),
        ("search_simulator", "query_id"),
        ("shop_simulator", "item_id"),
    ],
)
def test_ids_are_skewed_as_in_a_log(kind: str, item: str) -> None:
    counts = read(kind, "train")[item].value_counts()["count"].sort(descending=True)
    assert int(counts[: len(counts) // 10].sum()) > 0.25 * int(counts.sum())


def test_a_search_lists_twenty_documents_next_to_one_another() -> None:
    frame = rows("search_simulator")
    lists = frame.group_by("search_id", maintain_order=True).agg(pl.len(), pl.col("query_id").n_unique(), "position")
    assert frame["search_id"].is_sorted()
    assert set(lists["len"]) == {20}
    assert set(lists["query_id"]) == {1}
    assert set(lists["position"].list.n_unique()) == {20}


def test_most_articles_of_the_last_day_were_never_seen_and_their_text_tells_them_apart() -> None:
    train, test = read("feed_simulator", "train"), read("feed_simulator", "test")
    seen = test["article_id"].is_in(train["article_id"].unique().implode())
    assert int(seen.sum()) < 0.5 * test.height
    assert test["text"].to_numpy().std(axis=0).min() > 0.1


def test_the_shop_shows_what_was_looked_at_lately_and_clicks_follow_it() -> None:
    frame = read("shop_simulator", "train")
    shown, viewed = frame["category"].to_numpy(), np.array(frame["viewed_categories"].to_list())
    clicked, same = frame["click"].to_numpy() == 1, viewed == shown[:, None]
    assert same[:, -4:].mean() > 2 * same[:, :4].mean() > 0
    assert same[clicked, -4:].mean() > 2 * same[~clicked, -4:].mean()


# the real log


def raw_log() -> pl.DataFrame:
    return pl.concat([pl.read_parquet(KUAIRAND / name) for name in LOGS])


@needs_kuairand
def test_kuairand_keeps_one_row_per_user_video_and_time_and_joins_add_none() -> None:
    raw = raw_log()
    assert raw.height == 94_784 + 133_545
    assert rows("kuairand").height == raw.select("user_id", "video_id", "time_ms").n_unique()
    assert rows("kuairand").select("user_id", "video_id", "time_ms").is_duplicated().sum() == 0
    days = {"train": (20220425, 20220504), "valid": (20220505, 20220506), "test": (20220507, 20220508)}
    heights = {}
    for split in SPLITS:
        frame = read("kuairand", split)
        heights[split] = frame.height
        assert frame["date"].min() == days[split][0]
        assert frame["date"].max() == days[split][1]
    assert 0.02 <= 1 - sum(heights.values()) / raw.height <= 0.03


@needs_kuairand
def test_no_consequence_of_an_impression_is_a_column_of_kuairand() -> None:
    frame = read("kuairand", "train")
    assert not LEAKS & set(frame.columns)
    assert not LEAKS & set(source("kuairand").row_schema().field_names)


@needs_kuairand
def test_joined_columns_are_those_of_the_rows_own_user_and_video() -> None:
    frame = read("kuairand", "test").sample(200, seed=1)
    videos, users = pl.read_csv(KUAIRAND / VIDEOS), pl.read_csv(KUAIRAND / USERS)
    for key, table, column in (("video_id", videos, "author_id"), ("user_id", users, "register_days_range")):
        known = dict(zip(table[key].to_list(), table[column].to_list(), strict=True))
        assert frame[column].to_list() == [known.get(value) for value in frame[key].to_list()]
        assert table[key].is_duplicated().sum() == 0


@needs_kuairand
def test_history_counts_are_those_of_the_users_own_watched_videos() -> None:
    history = pl.read_parquet(KUAIRAND / HISTORY)
    watched = dict(zip(history["user_id"].to_list(), history["watch_seq"].to_list(), strict=True))
    frame = read("kuairand", "test")
    seen = frame.filter(pl.col("seen_video") > 0).head(20)
    rows = pl.concat([seen, frame.sample(100, seed=2)])
    for user, video, count in rows.select("user_id", "video_id", "seen_video").iter_rows():
        assert count == [int(each) for each in watched.get(user) or []].count(video)


@needs_kuairand
def test_history_ends_before_the_log_begins() -> None:
    frame = read("kuairand", "train")
    hours = frame["hours_since_history"].drop_nulls()
    assert (hours >= 0).all()


@needs_kuairand
def test_the_digest_is_of_the_files_and_not_of_where_they_lie(tmp_path: Path) -> None:
    for name in (*LOGS, USERS, VIDEOS, HISTORY):
        (tmp_path / name).symlink_to(KUAIRAND / name)
    moved = KuaiRand(root=tmp_path)
    assert moved.content_digest() == source("kuairand").content_digest()
    (tmp_path / USERS).unlink()
    (tmp_path / USERS).write_bytes((KUAIRAND / USERS).read_bytes() + b"\n")
    assert moved.content_digest() != source("kuairand").content_digest()
