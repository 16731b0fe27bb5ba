"""MovieLens in the three forms in which it is published, on small files written here in exactly these forms."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from autocompress.data.sources.movielens import FORMS, GENRES, MovieLens
from autocompress.errors import UserError

FLAGS = {name: "|".join("1" if each in name else "0" for each in GENRES) for name in ("Comedy Drama", "War")}
FILES = {
    "100k": {
        "u.data": "1\t10\t5\t881250949\n2\t20\t3\t891717742\n1\t20\t4\t881250950\n",
        "u.user": "1|24|M|technician|85711\n2|53|F|other|94043\n",
        "u.item": f"10|Fl\xe9au (1995)|01-Jan-1995||http://x|{FLAGS['Comedy Drama']}\n20|War: A|||http://y|{FLAGS['War']}\n",
    },
    "1m": {
        "ratings.dat": "1::10::5::881250949\n2::20::3::891717742\n1::20::4::881250950\n",
        "users.dat": "1::M::24::12::85711\n2::F::53::0::94043-1\n",
        "movies.dat": "10::Fl\xe9au (1995)::Comedy|Drama\n20::War: A::War\n",
    },
    "20m": {
        "ratings.csv": "userId,movieId,rating,timestamp\n1,10,5.0,881250949\n2,20,3.5,891717742\n1,20,4.0,881250950\n",
        "movies.csv": 'movieId,title,genres\n10,"Fleau, Le (1995)",Comedy|Drama\n20,War: A,(no genres listed)\n',
    },
}


def movielens(folder: Path, size: str, **changes: str) -> MovieLens:
    for name, text in {**FILES[size], **changes}.items():
        (folder / name).write_bytes(text.encode("latin-1"))
    return MovieLens.model_validate({"root": folder, "size": size})


@pytest.mark.parametrize("size", ["100k", "1m", "20m"])
def test_ratings_become_likes_with_what_is_known_of_user_and_movie(tmp_path: Path, size: str) -> None:
    source = movielens(tmp_path, size)
    frame = pl.concat(source.chunks())
    assert frame["like"].to_list() == [1, 0, 1]
    assert frame["timestamp"].to_list() == [881250949, 891717742, 881250950]
    assert frame["movie_id"].to_list() == ["10", "20", "20"]
    assert frame["year"].to_list() == ["1995", None, None]
    assert frame["genre"].to_list() == ["Comedy", *([None] * 2 if size == "20m" else ["War"] * 2)]
    assert frame["genres"][0] == "Comedy|Drama"
    if size != "20m":
        assert frame["gender"].to_list() == ["M", "F", "M"]
        assert frame["age"].to_list() == ["24", "53", "24"]
    assert set(source.row_schema().input_names) <= set(frame.columns)


def test_what_counts_as_a_like_can_be_set(tmp_path: Path) -> None:
    movielens(tmp_path, "1m")
    strict, plain = (MovieLens(root=tmp_path, positive=positive) for positive in (5.0, 4.0))
    assert pl.concat(strict.chunks())["like"].to_list() == [1, 0, 0]
    assert strict.content_digest() != plain.content_digest()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"u.data": "1\t10\t5\t1\n1\t10\t7\t1\n"}, r"u\.data has '7' in column 'rating', row 2: allowed are 0\.5 to 5"),
        ({"u.data": "1\t10\t5\tnow\n"}, r"u\.data has 'now' in column 'timestamp', row 1"),
        ({"u.item": ""}, r"u\.item"),
    ],
)
def test_a_wrong_cell_is_named_with_file_column_and_row(tmp_path: Path, changes: dict[str, str], said: str) -> None:
    with pytest.raises(UserError, match=said):
        list(movielens(tmp_path, "100k", **changes).chunks())


def test_a_line_that_is_no_movie_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"movies\.dat has no movie in row 2"):
        list(movielens(tmp_path, "1m", **{"movies.dat": "10::A::War\n20;B;War\n"}).chunks())


@pytest.mark.parametrize("size", list(FORMS))
def test_a_missing_file_is_named_with_where_it_comes_from(tmp_path: Path, size: str) -> None:
    with pytest.raises(UserError, match=r"has no file .*grouplens\.org"):
        MovieLens.model_validate({"root": tmp_path, "size": size}).content_digest()
