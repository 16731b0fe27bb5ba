"""MovieLens ratings: which movies a person likes.

Harper and Konstan, "The MovieLens Datasets: History and Context", ACM TiiS 5(4), 2015. 100k: u.data, u.user, u.item
(943 users, 1,682 movies, 100,000 ratings); 1m: ratings.dat, users.dat, movies.dat (6,040 users, 1,000,209 ratings);
20m: ratings.csv, movies.csv (138,493 users, 20,000,263 ratings, nothing known of the users). Ratings are 1 to 5, of 20m
0.5 to 5; times are seconds since 1970.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import polars as pl
from pydantic import Field as Limits

from autocompress.data.delimited import text_chunks, whole
from autocompress.data.download import Remote
from autocompress.data.public import PublicSet, credit, public_file
from autocompress.data.split import ByTime, Splitting
from autocompress.digest import file_digest, json_digest
from autocompress.errors import UserError
from autocompress.schema import Field, Frozen, Schema, Sequence, Task

HOME = "https://files.grouplens.org/datasets/movielens"
GENRES = (
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama", "Fantasy",
    "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western",
)  # fmt: skip
"""Of the flags of u.item, in their order."""
USER_FIELDS = ("gender", "age", "occupation", "zip_code")
MOVIE_FIELDS = ("year", "genre")


@dataclass(frozen=True)
class Form:
    """How a size is published: files, what parts the cells of ratings and users, and the columns that these hold.

    Where `::` parts cells, every second column between colons is empty: those are named with a leading `_`.
    """

    archive: Remote
    ratings: str
    movies: str
    users: str | None
    separator: str
    rating_columns: tuple[str, ...]
    header: bool
    user_separator: str = ""
    user_columns: tuple[str, ...] = ()


FORMS: dict[str, Form] = {
    "100k": Form(
        Remote(url=f"{HOME}/ml-100k.zip", digest="0e33842e24a9c977be4e0107933c0723"),
        "u.data", "u.item", "u.user", "\t", ("user_id", "movie_id", "rating", "timestamp"), False,
        "|", ("user_id", "age", "gender", "occupation", "zip_code"),
    ),
    "1m": Form(
        Remote(url=f"{HOME}/ml-1m.zip", digest="c4d9eecfca2ab87c1945afe126590906"),
        "ratings.dat", "movies.dat", "users.dat", ":",
        ("user_id", "_1", "movie_id", "_2", "rating", "_3", "timestamp"), False,
        ":", ("user_id", "_1", "gender", "_2", "age", "_3", "occupation", "_4", "zip_code"),
    ),
    "20m": Form(
        Remote(url=f"{HOME}/ml-20m.zip", digest="cd245b17a1ae2cc31bb14903e1204af3"),
        "ratings.csv", "movies.csv", None, ",", ("userId", "movieId", "rating", "timestamp"), True,
    ),
}  # fmt: skip


class MovieLens(Frozen):
    """`root` holds the files of `size`; without it they are downloaded. A rating of `positive` or more is a like."""

    kind: Literal["movielens"] = "movielens"
    synthetic: ClassVar[bool] = False
    licence: ClassVar[str] = "for research; no redistribution (see the README of each archive)"
    citation: ClassVar[str] = "Harper and Konstan, The MovieLens Datasets, ACM TiiS 5(4), 2015"
    address: ClassVar[str] = "https://grouplens.org/datasets/movielens/"
    root: Path | None = None
    size: Literal["100k", "1m", "20m"] = "1m"
    positive: float = Limits(4.0, gt=0.5, le=5.0)
    split: Splitting = ByTime()

    def row_schema(self) -> Schema:
        """User and movie with what is known of them, the list `genres`; task `like`, time and group."""
        users = USER_FIELDS if self._form.users is not None else ()
        names = ("user_id", "movie_id", *users, *MOVIE_FIELDS)
        return Schema(
            fields=tuple(Field(name=name) for name in names),
            sequences=(Sequence(name="genres", length=6, separator="|"),),
            tasks=(Task(name="like", label="like"),),
            time="timestamp",
            group="user_id",
        )

    def splitting(self) -> Splitting:
        """By the time of the rating."""
        return self.split

    def content_digest(self) -> str:
        """Of the bytes of the files, and of what a like is."""
        paths = [path for path in (self._path(name) for name in self._names()) if path is not None]
        return json_digest({"files": [file_digest(path) for path in paths], "positive": self.positive})

    def notes(self) -> list[str]:
        """Where it is from: nothing is guessed."""
        return credit(self)

    def chunks(self) -> Iterator[pl.DataFrame]:
        """Fields and genres text, timestamp Int64, like Int8; what is not known of a user or a movie is null."""
        form, path = self._form, self._path(self._form.ratings)
        movies, users = self._movies(), self._users()

        def typed(frame: pl.DataFrame, before: int) -> pl.DataFrame:
            frame = frame.rename({"userId": "user_id", "movieId": "movie_id"}, strict=False)
            rating = frame["rating"].cast(pl.Float64, strict=False)
            wrong = ~rating.is_between(0.5, 5.0).fill_null(False)
            if wrong.any():
                row = wrong.arg_max() or 0
                raise UserError(
                    f"data.root: {path} has {frame['rating'][row]!r} in column 'rating', row {before + row + 1}: "
                    "allowed are 0.5 to 5"
                )
            rows = frame.select(
                "user_id", "movie_id", whole(frame, "timestamp", path, before), like=(rating >= self.positive)
            ).with_columns(pl.col("like").cast(pl.Int8))
            rows = rows.join(movies, on="movie_id", how="left", maintain_order="left")
            return rows if users is None else rows.join(users, on="user_id", how="left", maintain_order="left")

        yield from text_chunks(path, form.rating_columns, form.separator, form.header, typed)

    @property
    def _form(self) -> Form:
        return FORMS[self.size]

    def _names(self) -> tuple[str, ...]:
        form = self._form
        return tuple(name for name in (form.ratings, form.movies, form.users) if name is not None)

    def _path(self, name: str) -> Path:
        public = PublicSet(
            kind=f"{self.kind}_{self.size}",
            address=self.address,
            licence=self.licence,
            citation=self.citation,
            files=self._names(),
            archive=self._form.archive,
        )
        return public_file(public, self.root, (name,))

    def _users(self) -> pl.DataFrame | None:
        form = self._form
        if form.users is None:
            return None
        parts = text_chunks(self._path(form.users), form.user_columns, form.user_separator, False, lambda rows, _: rows)
        return pl.concat(parts).select("user_id", *USER_FIELDS).unique("user_id", keep="first", maintain_order=True)

    def _movies(self) -> pl.DataFrame:
        """movie_id, year (of the title's last parentheses), genres parted by |, and the first of them."""
        path = self._path(self._form.movies)
        try:
            known = self._listed(path)
        except (pl.exceptions.PolarsError, OSError) as error:
            raise UserError(f"data.root: {path} cannot be read: {str(error).splitlines()[0]}") from error
        if known["movie_id"].null_count() or not known.height:
            row = known["movie_id"].is_null().arg_max() or 0
            raise UserError(f"data.root: {path} has no movie in row {row + 1}: wanted are id, title and genres")
        named = known.with_columns(pl.col("genres").replace("(no genres listed)", None))
        return named.select(
            "movie_id",
            "genres",
            year=pl.col("title").str.extract(r"\((\d{4})\)\s*$"),
            genre=pl.col("genres").str.split("|").list.first(),
        ).unique("movie_id", keep="first", maintain_order=True)

    def _listed(self, path: Path) -> pl.DataFrame:
        """movie_id, title and genres as they stand in the file."""
        if self.size == "20m":
            frame = pl.read_csv(path, infer_schema=False)
            return frame.rename({"movieId": "movie_id"})
        if self.size == "1m":
            lines = pl.read_csv(
                path, has_header=False, schema={"line": pl.String}, separator="\x1f", quote_char=None,
                encoding="utf8-lossy",
            )  # fmt: skip
            parts = pl.col("line").str.extract_groups(r"^(?<movie_id>\d+)::(?<title>.*)::(?<genres>.*)$")
            return lines.select(parts).unnest("line")
        columns = ("movie_id", "title", "release", "video", "url", *GENRES)
        frame = pl.read_csv(
            path, has_header=False, schema=dict.fromkeys(columns, pl.String), separator="|", quote_char=None,
            encoding="utf8-lossy",
        )  # fmt: skip
        genres = pl.concat_str(
            [pl.when(pl.col(name) == "1").then(pl.lit(name)) for name in GENRES], separator="|", ignore_nulls=True
        )
        return frame.select("movie_id", "title", genres=genres)
