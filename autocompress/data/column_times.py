"""Which columns tell a time: dates, ISO texts, seconds or finer since 1970, and dates written as yyyymmdd."""

from __future__ import annotations

import re

import polars as pl

FORMATS = (
    "%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%dT%H:%M:%S%.fZ", "%Y-%m-%d %H:%M:%S%.fZ", "%Y-%m-%d %H:%M:%S%.f UTC", "%Y-%m-%dT%H:%M:%S%.f%z",
    "%Y-%m-%d %H:%M:%S%.f%z", "%Y/%m/%d", "%Y/%m/%d %H:%M:%S%.f",
)  # fmt: skip
EARLIEST, LATEST = 946_684_800, 2_051_222_400
"""2000 and 2035, in seconds since 1970: numbers outside are no times of a log."""
UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_HINTS = {"ts", "at", "epoch", "dt", "datetime", "timestamp", "time", "date"}


def words(name: str) -> list[str]:
    """The words of a column's name, lower case: `userId` and `user_id` are both user, id."""
    return re.findall(r"[a-z]+|\d+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name).lower())


def time_format(text: pl.Series) -> str | None:
    """The first of `FORMATS` in which every cell is a time; None where there is none, or no cell."""
    cells = text.drop_nulls()
    if not len(cells):
        return None
    for form in FORMATS:
        if not any(to_time(part, form).null_count() for part in (cells.head(50), cells)):
            return form
    return None


def likeliest_format(text: pl.Series) -> tuple[str | None, int]:
    """The format in which most cells are times (None: none is), and the position of the first cell that is not."""
    cells = text.is_not_null()
    wrong = {form: cells & to_time(text, form).is_null() for form in FORMATS}
    form = min(FORMATS, key=lambda form: wrong[form].sum())
    first = wrong[form].arg_max() or 0
    return (form if wrong[form].sum() < cells.sum() else None), first


def to_time(text: pl.Series, form: str) -> pl.Series:
    """Text as Datetime (microseconds; UTC where the text names a zone), null where it is none."""
    return text.str.to_datetime(form, time_unit="us", strict=False, exact=True)


def time_unit(numbers: pl.Series) -> str | None:
    """What whole numbers count, by their column's name and range: s, ms, us or ns since 1970, or `yyyymmdd`."""
    lowest, highest = numbers.min(), numbers.max()
    if not isinstance(lowest, int) or not isinstance(highest, int):
        return None
    if lowest >= 20_000_101 and highest <= 20_351_231:
        days = numbers.drop_nulls().unique().cast(pl.String).str.to_date("%Y%m%d", strict=False)
        if not days.null_count():
            return "yyyymmdd"
    if not any(word in _HINTS or word.endswith(("time", "date", "timestamp")) for word in words(numbers.name)):
        return None
    fitting = (unit for unit, size in UNITS.items() if EARLIEST * size <= lowest and highest <= LATEST * size)
    return next(fitting, None)
