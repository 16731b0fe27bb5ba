"""Loaders of public sets, on files written here exactly as they are published, and on real samples where there are any.

Real samples are read from `../shared/data`, beside the repository; their tests are skipped by name where it is absent.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from pydantic import ValidationError

from autocompress.data import delimited
from autocompress.data.download import Remote
from autocompress.data.public import CACHE, PublicSet, public_file, public_folder
from autocompress.data.source import RowSource
from autocompress.data.sources import census_income, kuairand
from autocompress.data.sources.avazu import Avazu
from autocompress.data.sources.census_income import COLUMNS, CensusIncome
from autocompress.data.sources.criteo import Criteo
from autocompress.data.sources.frappe import CHECKSUMS, Frappe
from autocompress.data.sources.kuairand import HISTORY, LOGS, PUBLISHED, USERS, VIDEOS, KuaiRand
from autocompress.data.split import AtRandom, ByColumn, ByTime, InOrder, assign
from autocompress.errors import UserError

SHARED = Path(__file__).parents[3] / "shared" / "data"
CRITEO, CENSUS = SHARED / "criteo_raw8k", SHARED / "census_income_kdd"
needs_criteo = pytest.mark.skipif(not CRITEO.is_dir(), reason=f"{CRITEO} is absent")
needs_census = pytest.mark.skipif(not CENSUS.is_dir(), reason=f"{CENSUS} is absent")
Kind = type[Criteo] | type[Avazu] | type[Frappe] | type[CensusIncome] | type[KuaiRand]
SOURCES: list[Kind] = [Criteo, Avazu, Frappe, CensusIncome, KuaiRand]
FIRST_FILE: dict[Kind, str] = {CensusIncome: "census-income.data", KuaiRand: PUBLISHED[0]}


def rows(source: RowSource) -> pl.DataFrame:
    return pl.concat(list(source.chunks()))


def write(path: Path, text: str) -> Path:
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def criteo_line(number: int) -> str:
    counts = ["" if column == number % 13 else str(column * number - 2) for column in range(13)]
    codes = ["" if column == 20 else f"{column * 1000 + number % 3:08x}" for column in range(26)]
    return "\t".join([str(number % 2), *counts, *codes]) + "\n"


AVAZU_HEADER = (
    "id,click,hour,C1,banner_pos,site_id,site_domain,site_category,app_id,app_domain,app_category,device_id,device_ip,"
    "device_model,device_type,device_conn_type,C14,C15,C16,C17,C18,C19,C20,C21\n"
)


def avazu_line(number: int) -> str:
    hour = f"141021{number % 24:02d}"
    return (
        f"{10**18 + number},{number % 2},{hour},1005,0,1fbe01fe,f3845767,28905ebd,ecad2386,7801e8d9,07d7df22,a99f214a,"
        f"ddd2926{number % 3},44956a24,1,2,15706,320,50,1722,0,35,-1,79\n"
    )


FRAPPE_HEADER = "label,user,item,daytime,weekday,isweekend,homework,cost,weather,country,city\n"
CENSUS_LINE = (
    "73, Not in universe, 0, 0, High school graduate, 0, Not in universe, Widowed, Not in universe or children, "
    "Not in universe, White, NA, Female, Not in universe, Not in universe, Not in labor force, 0, 0, 0, Nonfiler, "
    "Not in universe, Not in universe, Other Rel 18+ ever marr not in subfamily, Other relative of householder, "
    "1700.09, ?, ?, ?, Not in universe under 1 year old, ?, 0, Not in universe, United-States, United-States, "
    "United-States, Native- Born in the United States, 0, Not in universe, 2, 0, 95, - 50000.\n"
)
MARRIED_NEVER = CENSUS_LINE.replace("Widowed", "Never married").replace("73,", "24,")
GRADUATE = CENSUS_LINE.replace("High school graduate", "Bachelors degree(BA AB BS)").replace("- 50000.", "50000+.")


KUAIRAND_HEADER = (
    "user_id,video_id,date,hourmin,time_ms,is_click,is_like,is_follow,is_comment,is_forward,is_hate,long_view,"
    "play_time_ms,duration_ms,profile_stay_time,comment_stay_time,is_profile_enter,is_rand,tab\n"
)
USER_HEADER = (
    "user_id,user_active_degree,is_lowactive_period,is_live_streamer,is_video_author,follow_user_num,"
    "follow_user_num_range,fans_user_num,fans_user_num_range,friend_user_num,friend_user_num_range,register_days,"
    f"register_days_range,{','.join(f'onehot_feat{number}' for number in range(18))}\n"
)
VIDEO_HEADER = (
    "video_id,author_id,video_type,upload_dt,upload_type,visible_status,video_duration,server_width,server_height,"
    "music_id,music_type,tag\n"
)


def kuairand_line(user: int, video: int, day: int, time: int, click: int, long_view: int) -> str:
    return f"{user},{video},{day},1300,{time},{click:d},0,0,0,0,0,{long_view:d},5000,9000,0,0,0,0,1\n"


def published_kuairand(folder: Path) -> None:
    """User 1 saw 60 videos up to 24 April, of which every third for long; user 2 saw nothing."""
    before = [
        kuairand_line(1, each % 4, 20220408 + each // 4, 1_000_000 + each, 1, each % 3 == 0) for each in range(60)
    ]
    later = [kuairand_line(1, 3, 20220425, 4_600_000, 1, 1), kuairand_line(2, 0, 20220505, 5_000_000, 0, 0)]
    write(folder / PUBLISHED[0], KUAIRAND_HEADER + "".join(before[:56]))
    write(folder / PUBLISHED[1], KUAIRAND_HEADER + "".join([*before[56:], *later, later[1]]))
    users = [f"{user},full_active,0,1,1,514,500+,150,[100,34,30,799,730+{',0' * 18}\n" for user in (1, 2)]
    write(folder / USERS, USER_HEADER + "".join(users))
    videos = [f"{video},{video % 2},NORMAL,2022-04-10,Web,0.0,87433.0,720.0,1280.0,9,9.0,39\n" for video in range(4)]
    write(folder / VIDEOS, VIDEO_HEADER + "".join(videos))


# every set


@pytest.mark.parametrize("kind", SOURCES)
def test_a_root_without_the_file_is_refused_with_the_origin_of_the_set(kind: Kind, tmp_path: Path) -> None:
    with pytest.raises(UserError) as refused:
        kind(root=tmp_path).content_digest()
    words = ("data.root", str(tmp_path), FIRST_FILE.get(kind, "train."), kind.address, kind.licence, kind.citation)
    assert [word for word in words if word not in str(refused.value)] == []
    with pytest.raises(UserError, match="is no folder"):
        list(kind(root=tmp_path / "absent").chunks())


@pytest.mark.parametrize("kind", [Criteo, Avazu])
def test_a_set_behind_a_login_is_never_downloaded(kind: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CACHE, str(tmp_path))
    with pytest.raises(UserError, match="cannot be downloaded without a login or a consent: get train") as refused:
        kind().content_digest()
    assert kind.address in str(refused.value)
    assert list(tmp_path.iterdir()) == []


# what may be downloaded


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    folder = tmp_path / "site"
    folder.mkdir()

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield folder, f"http://127.0.0.1:{running.server_address[1]}"
        running.shutdown()
        thread.join()


def test_a_set_is_downloaded_into_the_cache_once(
    site: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, url = site
    data, inner = (CENSUS_LINE + MARRIED_NEVER).encode(), io.BytesIO()
    with tarfile.open(fileobj=inner, mode="w:gz") as packed:
        for name in ("census-income.data", "census-income.test"):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            packed.addfile(info, io.BytesIO(data))
    with zipfile.ZipFile(folder / "census+income+kdd.zip", "w") as outer:
        outer.writestr("census.tar.gz", inner.getvalue())
    monkeypatch.setenv(CACHE, str(tmp_path / "cache"))
    monkeypatch.setattr(census_income, "ARCHIVE", Remote(url=f"{url}/census+income+kdd.zip"))
    first = rows(CensusIncome())
    assert first.height == 4
    (folder / "census+income+kdd.zip").unlink()
    assert_frame_equal(rows(CensusIncome()), first)
    assert (tmp_path / "cache" / "raw" / "census_income" / "census+income+kdd.zip").is_file()


def test_plain_files_are_downloaded_into_the_cache_once(
    site: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, url = site
    monkeypatch.setenv(CACHE, str(tmp_path / "cache"))
    for name in ("train.txt", "test.txt"):
        (folder / name).write_text(name)
    plain = tuple(Remote(url=f"{url}/{name}") for name in ("train.txt", "test.txt"))
    public = PublicSet(kind="some", address="a", licence="b", citation="c", files=("train.txt",), plain=plain)
    for _ in range(2):
        there = public_folder(public, None)
        assert {path.name: path.read_text() for path in there.glob("*.txt")} == {
            "train.txt": "train.txt",
            "test.txt": "test.txt",
        }
        for name in ("train.txt", "test.txt"):
            (folder / name).unlink(missing_ok=True)


def test_downloaded_files_with_other_checksums_are_refused(
    site: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, url = site
    with zipfile.ZipFile(folder / "set.zip", "w") as packed:
        packed.writestr("Set/train.csv", "label\n")
    monkeypatch.setenv(CACHE, str(tmp_path / "cache"))
    public = PublicSet(
        kind="some", address="a", licence="b", citation="c", files=("train.csv",), archive=Remote(url=f"{url}/set.zip")
    )
    assert public_file(public, None, ("train.csv.gz", "train.csv")).read_text() == "label\n"
    wrong = public.model_copy(update={"checksums": {"train.csv": "0" * 32}})
    with pytest.raises(UserError, match=r"train\.csv is not the file that was published: md5 .*, wanted 0000"):
        public_folder(wrong, None)


def test_the_archive_of_kuairand_is_downloaded_checked_and_read(
    site: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, url = site
    (tmp_path / "raw").mkdir()
    published_kuairand(tmp_path / "raw")
    archive = folder / "KuaiRand-Pure.tar.gz"
    with tarfile.open(archive, mode="w:gz") as packed:
        packed.add(tmp_path / "raw", "KuaiRand-Pure/data")
    remote = Remote(url=f"{url}/{archive.name}", digest=hashlib.sha256(archive.read_bytes()).hexdigest())
    monkeypatch.setenv(CACHE, str(tmp_path / "cache"))
    monkeypatch.setattr(kuairand, "ARCHIVE", remote)
    assert_frame_equal(rows(KuaiRand()), rows(KuaiRand(root=tmp_path / "raw")))
    monkeypatch.setenv(CACHE, str(tmp_path / "other"))
    monkeypatch.setattr(kuairand, "ARCHIVE", remote.model_copy(update={"digest": "0" * 64}))
    with pytest.raises(UserError, match=r"KuaiRand-Pure\.tar\.gz is not the file that was published: checksum"):
        rows(KuaiRand())


# criteo


@pytest.mark.parametrize("name", ["train.txt", "train.txt.gz"])
def test_criteo_lines_become_typed_rows_in_their_order(tmp_path: Path, name: str) -> None:
    write(tmp_path / name, "".join(criteo_line(number) for number in range(40)))
    source = Criteo(root=tmp_path)
    frame = rows(source)
    assert frame["label"].to_list() == [0, 1] * 20
    assert frame["label"].dtype == pl.Int8
    assert frame["I3"].to_list()[:3] == [-2, 0, None]
    assert frame["I3"].dtype == pl.Int64
    assert frame["C2"].to_list()[:3] == ["000003e8", "000003e9", "000003ea"]
    assert frame["C21"].null_count() == 40
    assert source.splitting() == InOrder()


def test_criteo_schema_has_log_counts_and_categories() -> None:
    schema = Criteo(min_count=7).row_schema()
    assert [(field.kind, field.encoding) for field in schema.fields] == [("numeric", "log")] * 13 + [
        ("categorical", "vocabulary")
    ] * 26
    assert {field.min_count for field in schema.fields[13:]} == {7}


def test_criteo_is_read_chunk_by_chunk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delimited, "CHUNK", 10)
    write(tmp_path / "a.txt", "".join(criteo_line(number) for number in range(25)))
    write(tmp_path / "b.txt", "".join(criteo_line(number) for number in range(25, 40)))
    frames = list(Criteo(root=tmp_path, files=("a.txt", "b.txt")).chunks())
    assert max(frame.height for frame in frames) <= 10
    assert pl.concat(frames)["label"].to_list() == [0, 1] * 20
    assert len({tuple(frame.schema.items()) for frame in frames}) == 1


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        (("1\t", "2\t"), "'2' in column 'label', row 32: allowed are 0 and 1"),
        (("1\t", "\t"), "None in column 'label', row 32: allowed are 0 and 1"),
        (("1\t-2\t", "1\tmany\t"), "'many' in column 'I1', row 32: allowed are whole numbers"),
    ],
)
def test_a_wrong_value_is_named_with_its_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: tuple[str, str], wanted: str
) -> None:
    monkeypatch.setattr(delimited, "CHUNK", 10)
    lines = [criteo_line(number) for number in range(40)]
    lines[31] = lines[31].replace(*change, 1)
    path = write(tmp_path / "train.txt", "".join(lines))
    with pytest.raises(UserError) as refused:
        rows(Criteo(root=tmp_path))
    assert str(refused.value) == f"data.root: {path} has {wanted}"


@pytest.mark.parametrize("text", ["", "0,1,2,3\n", "\x00\x01"])
def test_a_file_of_another_form_is_refused_in_one_line(tmp_path: Path, text: str) -> None:
    path = write(tmp_path / "train.txt", text)
    with pytest.raises(UserError, match=str(path)) as refused:
        rows(Criteo(root=tmp_path))
    assert "\n" not in str(refused.value)


def test_a_cut_gz_file_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "train.txt.gz", "".join(criteo_line(number) for number in range(4000)))
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(UserError, match=r"train\.txt\.gz cannot be read"):
        rows(Criteo(root=tmp_path))


def test_the_digest_follows_the_bytes_and_not_the_folder(tmp_path: Path) -> None:
    digests = []
    for name, lines in (("a", 40), ("b", 40), ("c", 41)):
        (tmp_path / name).mkdir()
        write(tmp_path / name / "train.txt", "".join(criteo_line(number) for number in range(lines)))
        digests.append(Criteo(root=tmp_path / name).content_digest())
    assert digests[0] == digests[1] != digests[2]


@needs_criteo
def test_the_real_criteo_sample_is_read() -> None:
    source = Criteo(root=CRITEO, files=("train.csv", "dev.csv", "test.csv"))
    frame = rows(source)
    assert frame.height == 8000
    assert int(frame["label"].sum()) / 8000 == pytest.approx(0.216, abs=0.001)
    assert sum(frame[f"C{number}"].drop_nulls().n_unique() for number in range(1, 27)) == 37_088
    assert frame["I2"].min() == -2
    assert set(source.row_schema().input_names) == set(frame.columns) - {"label"}


# avazu


@pytest.mark.parametrize("name", ["train.csv", "train.gz"])
def test_avazu_hours_become_times_and_ids_are_dropped(tmp_path: Path, name: str) -> None:
    write(tmp_path / name, AVAZU_HEADER + "".join(avazu_line(number) for number in range(48)))
    source = Avazu(root=tmp_path)
    frame, schema = rows(source), source.row_schema()
    assert schema.time == "hour"
    assert str(frame["hour"][1]) == "2014-10-21 01:00:00"
    assert frame["hour_of_day"].to_list() == list(range(24)) * 2
    assert frame["weekday"].unique().to_list() == [2]
    assert frame["click"].to_list() == [0, 1] * 24
    assert "id" not in frame.columns
    assert "hour" not in schema.field_names
    assert set(schema.field_names) | {"hour", "click"} == set(frame.columns)
    codes = assign(ByTime(), frame["hour"], (frame["click"] >= 0).to_numpy())
    assert frame["hour_of_day"].filter(pl.Series(codes == 2)).to_list() == [21, 22, 23, 21, 22, 23]


def test_an_avazu_file_without_a_column_is_refused_with_the_nearest(tmp_path: Path) -> None:
    write(tmp_path / "train.csv", (AVAZU_HEADER + avazu_line(1)).replace("banner_pos", "banner_position"))
    with pytest.raises(UserError, match=r"no column 'banner_pos' \(did you mean 'banner_position'\?\)"):
        rows(Avazu(root=tmp_path))


def test_an_avazu_hour_that_is_none_is_named(tmp_path: Path) -> None:
    write(tmp_path / "train.csv", AVAZU_HEADER + avazu_line(1) + avazu_line(2).replace("14102102", "14102172"))
    with pytest.raises(UserError, match="'14102172' in column 'hour', row 2: allowed are hours as YYMMDDHH"):
        rows(Avazu(root=tmp_path))


# frappe


def test_frappe_is_split_by_file(tmp_path: Path) -> None:
    for name, label in zip(CHECKSUMS, (0, 1, 0), strict=True):
        write(tmp_path / name, FRAPPE_HEADER + f"{label},204,4798,5041,5046,5053,5055,5058,5060,5073,5183\n" * 2)
    source = Frappe(root=tmp_path)
    frame = rows(source)
    assert frame["split"].to_list() == ["train"] * 2 + ["valid"] * 2 + ["test"] * 2
    assert frame["label"].to_list() == [0, 0, 1, 1, 0, 0]
    assert source.splitting() == ByColumn(column="split")
    assert set(source.row_schema().field_names) == set(frame.columns) - {"label", "split"}


def test_frappe_needs_all_three_files(tmp_path: Path) -> None:
    for name in ("train.csv", "valid.csv"):
        write(tmp_path / name, FRAPPE_HEADER)
    with pytest.raises(UserError, match=r"has no file test\.csv"):
        Frappe(root=tmp_path).content_digest()


# kuairand


def test_published_impressions_before_25_april_are_history_of_50_videos_and_no_rows(tmp_path: Path) -> None:
    published_kuairand(tmp_path)
    frame = rows(KuaiRand(root=tmp_path))
    assert frame.select("user_id", "date", "is_click", "long_view").rows() == [(1, 20220425, 1, 1), (2, 20220505, 0, 0)]
    assert frame["history_len"].to_list() == [60, None]
    assert frame["hours_since_history"].to_list() == [(4_600_000 - 1_000_059) / 3_600_000, None]
    # of the last 50 (10 to 59), video 3 is every fourth from 11 on and author 1 has the odd ones; 20 were seen for long
    counts = frame.select("seen_video", "seen_author", "seen_tag", "long_seen_author", "long_seen_tag")
    assert counts.rows() == [(13, 25, 50, 10, 20), (0, 0, 0, 0, 0)]
    assert set(KuaiRand().row_schema().input_names) < set(frame.columns)


def test_the_slice_of_kuairand_gives_the_rows_of_the_published_files(tmp_path: Path) -> None:
    published, cut = tmp_path / "published", tmp_path / "slice"
    for folder in (published, cut):
        folder.mkdir()
        published_kuairand(folder)
    log = pl.concat([pl.read_csv(published / name) for name in PUBLISHED])
    for name, days in zip(LOGS, (pl.col("date") < 20220501, pl.col("date") >= 20220501), strict=True):
        log.filter(pl.col("date") >= 20220425, days).write_parquet(cut / name)
    before = log.filter(pl.col("date") < 20220425)
    long = before.filter(pl.col("long_view") == 1)["video_id"].to_list()
    history = {"user_id": [1], "history_len": [60], "last_time_ms": [1_000_059]}
    lists = {"watch_seq": [before["video_id"].to_list()[-50:]], "long_watch_seq": [long]}
    pl.DataFrame({**history, **lists}).write_parquet(cut / HISTORY)
    assert_frame_equal(rows(KuaiRand(root=cut)), rows(KuaiRand(root=published)))
    (cut / LOGS[1]).unlink()
    with pytest.raises(UserError, match=f"has no file {LOGS[1]}"):
        rows(KuaiRand(root=cut))


def test_a_published_log_without_a_column_is_named(tmp_path: Path) -> None:
    published_kuairand(tmp_path)
    text = (tmp_path / PUBLISHED[1]).read_text()
    write(tmp_path / PUBLISHED[1], text.replace("is_rand,tab", "is_rand,tabs"))
    with pytest.raises(UserError, match=rf"{PUBLISHED[1]} has no column 'tab' \(did you mean 'tabs'\?\)"):
        rows(KuaiRand(root=tmp_path))


# census income


def test_the_published_census_files_are_split_by_file_and_the_test_file_is_halved(tmp_path: Path) -> None:
    write(tmp_path / "census-income.data", CENSUS_LINE + MARRIED_NEVER + GRADUATE)
    write(tmp_path / "census-income.test.gz", CENSUS_LINE * 200)
    source = CensusIncome(root=tmp_path, tasks=("income", "never_married", "college"))
    frame = rows(source)
    assert source.splitting() == ByColumn(column="split")
    assert frame["split"].to_list()[:3] == ["train"] * 3
    assert 60 < (frame["split"] == "valid").sum() < 140
    assert (frame["split"] == "test").sum() == 200 - (frame["split"] == "valid").sum()
    labels = frame.head(3).select("income", "never_married", "college")
    assert labels.rows() == [(0, 0, 0), (0, 1, 0), (1, 0, 1)]
    assert set(labels.dtypes) == {pl.Int8}
    assert frame.row(0, named=True)["age"] == 73
    assert frame.row(0, named=True)["class_worker"] == "Not in universe"
    assert frame.row(0, named=True)["hisp_origin"] == "NA"
    assert frame.row(0, named=True)["mig_chg_msa"] is None


def test_without_a_test_file_census_rows_are_split_at_random(tmp_path: Path) -> None:
    write(tmp_path / "census-income.data.gz", CENSUS_LINE * 3)
    source = CensusIncome(root=tmp_path, seed=5)
    assert source.splitting() == AtRandom(seed=5)
    assert "split" not in rows(source).columns


def test_the_halves_of_the_test_file_do_not_depend_on_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("census-income.data", "census-income.test"):
        write(tmp_path / name, CENSUS_LINE * 50)
    whole = rows(CensusIncome(root=tmp_path))
    monkeypatch.setattr(delimited, "CHUNK", 7)
    assert_frame_equal(rows(CensusIncome(root=tmp_path)), whole)
    other = CensusIncome(root=tmp_path, seed=1)
    assert not rows(other)["split"].equals(whole["split"])
    assert other.content_digest() != CensusIncome(root=tmp_path).content_digest()


@pytest.mark.parametrize(
    ("tasks", "gone"),
    [
        (("income",), set()),
        (("income", "never_married"), {"marital_stat"}),
        (("never_married", "college"), {"marital_stat", "education"}),
    ],
)
def test_what_a_census_task_is_made_of_is_no_field(tasks: tuple[str, ...], gone: set[str]) -> None:
    schema = CensusIncome.model_validate({"tasks": tasks}).row_schema()
    assert set(schema.field_names) == set(COLUMNS) - gone - {"unknown", "income_50k"}
    assert schema.task_names == tasks


def test_a_census_group_must_be_a_field() -> None:
    assert CensusIncome(group="sex").row_schema().group == "sex"
    with pytest.raises(UserError, match=r"data\.group=rase is no field.*did you mean 'race'"):
        CensusIncome(group="rase").row_schema()


def test_a_census_task_that_is_not_known_is_refused() -> None:
    with pytest.raises(ValidationError, match="never_married"):
        CensusIncome.model_validate({"tasks": ["married"]})


@pytest.mark.parametrize(
    ("change", "wanted"),
    [(("- 50000.", "poor"), "'poor' in column 'income_50k', row 2"), (("73,", "old,"), "'old' in column 'age', row 2")],
)
def test_a_wrong_census_value_is_named_with_its_row(tmp_path: Path, change: tuple[str, str], wanted: str) -> None:
    write(tmp_path / "census-income.data", CENSUS_LINE + CENSUS_LINE.replace(*change))
    with pytest.raises(UserError, match=wanted):
        rows(CensusIncome(root=tmp_path))


def test_parquet_parts_are_read_as_the_published_file_in_its_order(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    write(tmp_path / "raw" / "census-income.data", CENSUS_LINE + MARRIED_NEVER + GRADUATE)
    whole = {"age", "det_ind_code", "det_occ_code", "wage_per_hour", "capital_gains", "capital_losses", "year"}
    whole |= {"stock_dividends", "num_emp", "own_or_self", "vet_benefits", "weeks_worked"}
    lines = [line.rstrip("\n").split(",") for line in (CENSUS_LINE, MARRIED_NEVER, GRADUATE)]
    quoted = pl.DataFrame(
        {
            name: [int(v) if name in whole else None if v == " ?" else f"'{v}'" for v in values]
            for name, values in zip(COLUMNS, zip(*lines, strict=True), strict=True)
        }
    ).with_columns(pl.Series("__index_level_0__", [0, 1, 2]))
    for name, part in (("part_a", quoted[2:]), ("part_b", quoted[:2])):
        part.write_parquet(tmp_path / f"{name}.parquet")
    parts = CensusIncome(root=tmp_path)
    assert_frame_equal(rows(parts), rows(CensusIncome(root=tmp_path / "raw")))
    assert parts.splitting() == AtRandom()


@needs_census
def test_the_real_census_rows_have_the_known_rates() -> None:
    source = CensusIncome(root=CENSUS, tasks=("income", "never_married", "college"))
    frame = rows(source)
    assert frame.height == 199_523
    means = frame.select(pl.col("income", "never_married", "college").cast(pl.Float64).mean()).row(0)
    assert means == pytest.approx((0.062, 0.433, 0.148), abs=0.0006)
    assert frame["age"].to_list()[:3] == [73, 58, 18]
    assert frame["mig_chg_msa"].null_count() == 99_696
    assert "NA" in frame["hisp_origin"].unique()
    text = frame.select(pl.col(pl.String))
    assert not text.select(pl.any_horizontal(pl.all().str.contains(r"^[' ]|[' ]$").any())).item()
    assert set(source.row_schema().field_names) == set(frame.columns) - {"income", "never_married", "college"}
