"""How many bits each part gets: as good as trying everything."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autocompress.compress.allocation import allocate

CHOICES = (8, 4, 2)
parts = st.lists(
    st.tuples(st.integers(1, 50), st.tuples(*(st.floats(0.0, 10.0) for _ in CHOICES))), min_size=1, max_size=4
)


def posed(drawn: list[tuple[int, tuple[float, ...]]]) -> tuple[dict[str, int], dict[str, dict[int, float]]]:
    sizes = {f"part {place}": size for place, (size, _) in enumerate(drawn)}
    harms = {f"part {place}": dict(zip(CHOICES, harms, strict=True)) for place, (_, harms) in enumerate(drawn)}
    return sizes, harms


@given(parts, st.floats(2.0, 9.0), st.sampled_from([1.0, 1e-4, 1e-10]))
def test_no_other_choice_within_the_average_harms_less(
    drawn: list[tuple[int, tuple[float, ...]]], average: float, size: float
) -> None:
    sizes, harms = posed([(many, tuple(size * harm for harm in each)) for many, each in drawn])
    costs = {part: {bits: float(bits) for bits in CHOICES} for part in sizes}
    found = allocate(sizes, costs, harms, average)
    total = sum(sizes.values())

    def mean_of(bits: tuple[int, ...]) -> float:
        return sum(size * each for size, each in zip(sizes.values(), bits, strict=True)) / total

    assert mean_of(tuple(found[part] for part in sizes)) <= average * (1 + 1e-6)
    allowed = [bits for bits in product(CHOICES, repeat=len(sizes)) if mean_of(bits) <= average]
    least = min(sum(harms[part][each] for part, each in zip(sizes, bits, strict=True)) for bits in allowed)
    assert sum(harms[part][found[part]] for part in sizes) == pytest.approx(least, abs=1e-5 * size, rel=1e-6)


def test_an_average_that_nothing_reaches_gives_the_cheapest() -> None:
    sizes, harms = posed([(10, (0.0, 1.0, 2.0)), (5, (0.0, 1.0, 2.0))])
    costs = {part: {bits: bits + 4.0 for bits in CHOICES} for part in sizes}
    assert allocate(sizes, costs, harms, 2.0) == {"part 0": 2, "part 1": 2}


def test_nothing_is_allotted_to_nothing() -> None:
    assert allocate({}, {}, {}, 4.0) == {}
