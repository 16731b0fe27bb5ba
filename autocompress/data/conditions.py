"""Plain conditions on one input ("is missing", "is not 0", "is 'x'") that all but decide a label."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FEW = 50
"""Most values of an input of which each is tried as a condition; of others, 0, the commonest and "missing" are."""
ENOUGH, ENOUGH_SHARE = 100, 0.0005
"""Rows, and share of the sample, that must meet a condition before it counts."""
SUSPECT_RATE, SUSPECT_ODDS = 0.9, 10.0
"""Label rate and factor on the odds (both at the Wilson 99 % bound) from which a condition gives a label of 1 away."""
DOUBTFUL_RATE, DOUBTFUL_ODDS = 0.75, 4.0
"""As above, for a condition that an honest input may meet too: reported only."""
ONE_OF_MANY_COVER = 0.1
"""Least share of a label's rows that one of several values holds: one page may log only clicks by some quirk."""
COMMON_ODDS, COMMON_COVER = 50.0, 0.5
"""What it takes where the commoner label, or 0, is decided: children earn little and some pages cannot be clicked, with
neither following from the label. A consequence moves the odds more and holds for this share of that label's rows."""
_Z = 2.576

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Levels:
    """Sampled rows and positives of some values of an input, `names[i]` for value i, and of all its values together.

    `plain` (bool): "missing", 0, the commonest value, and both of two values; of these the contrary is a condition too.
    """

    names: list[str]
    rows: Counts
    positives: Counts
    plain: NDArray[np.bool_]
    all_rows: int
    all_positives: int


def tried(name: Callable[[int], str], rows: Counts, positives: Counts, always: NDArray[np.bool_]) -> Levels:
    """The levels that are tried as conditions: all where they are few, else the commonest and `always`.

    `rows`, `positives`, `always`: one per level, of which `name` gives the name.
    """
    plain = always | (np.arange(len(rows)) == rows.argmax()) | (np.count_nonzero(rows) <= 2)
    places = np.flatnonzero((plain | (np.count_nonzero(rows) <= FEW)) & (rows > 0))
    names = [name(int(place)) for place in places]
    return Levels(names, rows[places], positives[places], plain[places], int(rows.sum()), int(positives.sum()))


def judge(levels: Levels, label: str) -> tuple[str | None, str | None]:
    """Why the condition that gives `label` away most makes its input suspect; why doubtful. None where it does not."""
    base = levels.all_positives / max(1, levels.all_rows)
    if not 0 < base < 1:
        return None, None
    plain = levels.plain
    rows = np.concatenate([levels.rows, levels.all_rows - levels.rows[plain]])
    ones = np.concatenate([levels.positives, levels.all_positives - levels.positives[plain]])
    denied = [name for name, each in zip(levels.names, plain, strict=True) if each]
    words = [*(f"is {name}" for name in levels.names), *(f"is not {name}" for name in denied)]
    rare = np.concatenate([np.where(plain, 0.0, ONE_OF_MANY_COVER), np.zeros(len(denied))])
    enough = (rows >= max(ENOUGH, ENOUGH_SHARE * levels.all_rows)) & (rows < levels.all_rows)

    def strongest(value: int, rate: float, odds: float, cover: float | NDArray[np.float64]) -> str | None:
        agreeing, share = (ones, base) if value else (rows - ones, 1 - base)
        bound = _lower(agreeing, np.maximum(rows, 1))
        factor = bound / np.maximum(1 - bound, 1e-12) * (1 - share) / share
        covers = agreeing / (share * levels.all_rows)
        strength = bound * (enough & (bound >= rate) & (factor >= odds) & (covers >= cover))
        if not strength.any():
            return None
        best = int(np.argmax(strength))
        percent = np.floor(1000 * agreeing[best] / rows[best]) / 10
        return f"{label} is {value} in {percent:.1f} % of rows where it {words[best]}"

    suspect = (
        (strongest(1, SUSPECT_RATE, SUSPECT_ODDS, rare) if base <= 0.5 else None)
        or strongest(1, SUSPECT_RATE, COMMON_ODDS, COMMON_COVER)
        or strongest(0, SUSPECT_RATE, COMMON_ODDS, COMMON_COVER)
    )
    return suspect, strongest(1, DOUBTFUL_RATE, DOUBTFUL_ODDS, rare) if base <= 0.5 else None


def _lower(hits: Counts, rows: Counts) -> NDArray[np.float64]:
    """Wilson's lower 99 % bound of a rate."""
    rate = hits / rows
    spread = np.sqrt(rate * (1 - rate) / rows + _Z**2 / (4 * rows**2))
    bound: NDArray[np.float64] = (rate + _Z**2 / (2 * rows) - _Z * spread) / (1 + _Z**2 / rows)
    return bound
