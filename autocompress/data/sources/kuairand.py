"""KuaiRand-Pure: a real log of short-video impressions with clicks and long views.

Gao et al., "KuaiRand: An Unbiased Sequential Recommendation Dataset with Randomly Exposed Videos", CIKM 2022. Read is
the standard log of 25 April to 8 May 2022 with the user and video tables: train is up to 4 May, validation 5 and 6 May,
test 7 and 8 May. Two forms are read: the published archive (two logs from 8 April on, as CSV), and the slice of it that
holds those days as Parquet and what users saw before as lists.

History enters as counts: how often the last 50 watched (and long-watched) videos before 25 April share the impression's
author, tag or video. Columns that are consequences of the impression (play time, watch ratio, finish, like, ...) and
the constant `source_file` are never read.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal

import polars as pl

from autocompress.data.download import Remote
from autocompress.data.public import PublicSet, credit, public_file, public_folder
from autocompress.data.source import CHUNK
from autocompress.data.split import ByColumn, Splitting
from autocompress.digest import file_digest, json_digest
from autocompress.errors import UserError, nearest
from autocompress.schema import Field, Frozen, Schema, Task

PUBLISHED = ("log_standard_4_08_to_4_21_pure.csv", "log_standard_4_22_to_5_08_pure.csv")
ARCHIVE = Remote(
    url="https://zenodo.org/records/10439422/files/KuaiRand-Pure.tar.gz",
    digest="c814bf6f3624c0cfae83c57de3df26b2ed206e5c57bab4c4dcbfabbabe20cbf0",
    size=47_432_272,
)
LOGS = ("log_standard_0425_0430.parquet", "log_standard_0501_0508.parquet")
USERS, VIDEOS = "user_features_pure.csv", "video_features_basic_pure.csv"
HISTORY = "user_sequences_upto_0424.parquet"
FIRST_DAY, REMEMBERED = 20220425, 50
"""Impressions from that day on are rows, those before it are history, of which so many videos per user count."""

LOG_COLUMNS = ("user_id", "video_id", "date", "hourmin", "time_ms", "tab", "is_rand", "duration_ms")
LABELS = {"click": "is_click", "long_view": "long_view"}
LOG = (*LOG_COLUMNS, *LABELS.values())
USER_COLUMNS = (
    "user_active_degree", "is_lowactive_period", "is_live_streamer", "is_video_author", "follow_user_num_range",
    "fans_user_num_range", "friend_user_num_range", "register_days_range", *(f"onehot_feat{n}" for n in range(18)),
)  # fmt: skip
VIDEO_COLUMNS = ("author_id", "video_type", "upload_type", "music_id", "music_type", "tag")
HISTORY_COLUMNS = ("seen_author", "seen_tag", "seen_video", "long_seen_author", "long_seen_tag")
NUMERIC = ("duration_ms", "history_len", "age_days", "hours_since_history", *HISTORY_COLUMNS)
CATEGORICAL = ("user_id", "video_id", "hour", "tab", "is_rand", *USER_COLUMNS, *VIDEO_COLUMNS)

DAYS = {
    "train": ("20220425", "20220426", "20220427", "20220428", "20220429", "20220430", "20220501", "20220502",
              "20220503", "20220504"),
    "valid": ("20220505", "20220506"),
    "test": ("20220507", "20220508"),
}  # fmt: skip


class KuaiRand(Frozen):
    """`root` holds the two published logs and tables, or the slice; without it the archive is downloaded."""

    kind: Literal["kuairand"] = "kuairand"
    synthetic: ClassVar[bool] = False
    licence: ClassVar[str] = "CC BY-SA 4.0"
    citation: ClassVar[str] = "Gao et al., KuaiRand, CIKM 2022, doi:10.1145/3511808.3557624"
    address: ClassVar[str] = "https://kuairand.com"
    root: Path | None = None

    def row_schema(self) -> Schema:
        """Fields from the log and the three tables; tasks `click` and, where clicked, `long_view`."""
        fields = [Field(name=name, min_count=2) for name in CATEGORICAL]
        fields += [Field(name=name, kind="numeric", buckets=20) for name in NUMERIC]
        tasks = (
            Task(name="click", label="is_click"),
            Task(name="long_view", label="long_view", parent="click"),
        )
        return Schema(fields=tuple(fields), tasks=tasks, time="time_ms")

    def content_digest(self) -> str:
        """Of the bytes of the files that are read, wherever they lie."""
        names = (*LOGS, USERS, VIDEOS, HISTORY) if self._is_slice else (*PUBLISHED, USERS, VIDEOS)
        return json_digest({name: file_digest(self._file(name)) for name in names})

    def splitting(self) -> Splitting:
        """By days."""
        return ByColumn(column="date", **DAYS)

    def notes(self) -> list[str]:
        """Where it is from: nothing is guessed."""
        return credit(self)

    def chunks(self) -> Iterator[pl.DataFrame]:
        """Impressions in time order, one per (user, video, time); one frame."""
        shown, sequences = self._shown_and_before()
        log = (
            shown.unique(["user_id", "video_id", "time_ms"], keep="first", maintain_order=True)
            .sort("time_ms", maintain_order=True)
            .with_columns(hour=pl.col("hourmin") // 100, **{n: _label(n) for n in LABELS.values()})
        )
        users = self._scan(USERS, ("user_id", *USER_COLUMNS))
        videos = self._scan(VIDEOS, ("video_id", "upload_dt", *VIDEO_COLUMNS))
        history = sequences.select("user_id", "history_len", "last_time_ms")
        rows = (
            log.join(users, on="user_id", how="left", maintain_order="left")
            .join(videos, on="video_id", how="left", maintain_order="left")
            .join(history, on="user_id", how="left", maintain_order="left")
        )
        for sequence, columns in (
            ("watch_seq", {"seen_author": "author_id", "seen_tag": "tag", "seen_video": "video_id"}),
            ("long_watch_seq", {"long_seen_author": "author_id", "long_seen_tag": "tag"}),
        ):
            watched = (
                sequences.select("user_id", pl.col(sequence).alias("video_id"))
                .explode("video_id", empty_as_null=False, keep_nulls=False)
                .join(videos.select("video_id", "author_id", "tag"), on="video_id", how="left")
            )
            for name, key in columns.items():
                counts = watched.group_by("user_id", key).agg(pl.len().alias(name))
                rows = rows.join(counts, on=["user_id", key], how="left", maintain_order="left")
        uploaded = pl.col("upload_dt").str.to_date(strict=False)
        rows = rows.with_columns(
            *(pl.col(name).fill_null(0) for name in HISTORY_COLUMNS),
            age_days=(pl.col("date").cast(pl.String).str.to_date("%Y%m%d") - uploaded).dt.total_days(),
            hours_since_history=(pl.col("time_ms") - pl.col("last_time_ms")) / 3_600_000,
        ).drop("hourmin", "upload_dt", "last_time_ms")
        try:
            yield from rows.collect().iter_slices(CHUNK)
        except pl.exceptions.PolarsError as error:
            reason = str(error).splitlines()[0]
            raise UserError(f"data.root: the files in {self._folder} do not fit together: {reason}") from error

    def _shown_and_before(self) -> tuple[pl.LazyFrame, pl.LazyFrame]:
        """The impressions that are rows, and per user what came before them, as `HISTORY` holds it."""
        names = LOGS if self._is_slice else PUBLISHED
        log = pl.concat([self._scan(name, LOG) for name in names], how="vertical_relaxed")
        if self._is_slice:
            known = ("user_id", "history_len", "last_time_ms", "watch_seq", "long_watch_seq")
            return log, self._scan(HISTORY, known)
        return log.filter(pl.col("date") >= FIRST_DAY), _history(log.filter(pl.col("date") < FIRST_DAY))

    def _scan(self, name: str, columns: tuple[str, ...]) -> pl.LazyFrame:
        """Those columns of a file; `UserError` names one that it lacks, or a label that is no whole number."""
        path = self._file(name)
        try:
            rows = pl.scan_csv(path) if path.suffix == ".csv" else pl.scan_parquet(path)
            types = rows.collect_schema()
        except pl.exceptions.PolarsError as error:
            raise UserError(f"data.root: {path} cannot be read: {str(error).splitlines()[0]}") from error
        for column in columns:
            if column not in types:
                raise UserError(f"data.root: {path} has no column {column!r}{nearest(column, types)}")
            if column in LABELS.values() and not (types[column].is_integer() or types[column] == pl.Boolean):
                raise UserError(f"data.root: label {column!r} of {path} is {types[column]}: allowed are 0 and 1")
        return rows.select(columns)

    def _file(self, name: str) -> Path:
        return public_file(self._public, self._folder, (name,))

    @cached_property
    def _folder(self) -> Path:
        return public_folder(self._public, self.root)

    @property
    def _is_slice(self) -> bool:
        return any((self._folder / name).is_file() for name in (*LOGS, HISTORY))

    @property
    def _public(self) -> PublicSet:
        return PublicSet(
            kind=self.kind,
            address=self.address,
            licence=self.licence,
            citation=self.citation,
            files=(*PUBLISHED, USERS, VIDEOS),
            archive=ARCHIVE,
        )


def _history(log: pl.LazyFrame) -> pl.LazyFrame:
    """Per user: impressions, the time of the last, and the last `REMEMBERED` videos, of all and of long views."""
    by_user = log.sort("user_id", "time_ms", "video_id").group_by("user_id", maintain_order=True)
    return by_user.agg(
        history_len=pl.len().cast(pl.Int64),
        last_time_ms=pl.col("time_ms").max(),
        watch_seq=pl.col("video_id").tail(REMEMBERED),
        long_watch_seq=pl.col("video_id").filter(pl.col("long_view") == 1).tail(REMEMBERED),
    )


def _label(name: str) -> pl.Expr:
    """0 and 1 as Int8; anything else stays visible to the check that refuses it."""
    return pl.col(name).cast(pl.Int64).clip(-1, 2).cast(pl.Int8)
