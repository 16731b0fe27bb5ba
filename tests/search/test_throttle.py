"""Work that may take a share of the time."""

from __future__ import annotations

import pytest

from autocompress.search.throttle import Throttle


@pytest.fixture
def now() -> list[float]:
    """Seconds of a clock that the test moves."""
    return [100.0]


def test_what_was_never_done_may_be_done_at_once(now: list[float]) -> None:
    assert Throttle(0.1, lambda: now[0]).open


def test_what_took_a_second_may_be_done_again_when_a_second_is_its_share(now: list[float]) -> None:
    throttle = Throttle(0.1, lambda: now[0])
    with throttle.working():
        now[0] += 1.0
    assert not throttle.open
    now[0] = 109.9
    assert not throttle.open
    now[0] = 110.0
    assert throttle.open


def test_work_that_raises_has_taken_its_time_too(now: list[float]) -> None:
    throttle = Throttle(0.5, lambda: now[0])

    def fail() -> None:
        with throttle.working():
            now[0] += 3.0
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        fail()
    now[0] = 105.0
    assert not throttle.open
    now[0] = 106.0
    assert throttle.open
