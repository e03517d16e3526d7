"""Points of probability: they add up to the change of the probability, whatever the margins; rounded, too."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab2live.explainability.why import points

margin = st.floats(-40, 40)
numbers = st.floats(-1e9, 1e9).filter(lambda value: value == 0 or abs(value) > 1e-9)


@given(start=margin, parts=st.lists(st.floats(-15, 15), min_size=1, max_size=8))
@settings(deadline=None)
def test_two_classes_the_points_add_up(start: float, parts: list[float]) -> None:
    end = start + sum(parts)
    slope = float(points.secant(np.array(start), np.array([end]))[0])
    change = points.probability(np.array(end)) - points.probability(np.array(start))
    assert abs(slope * (end - start) - change) <= 1e-12
    assert 0 <= slope <= 0.25 + 1e-9  # never steeper than the curve itself: no reason changes its sign


@given(
    start=st.lists(margin, min_size=3, max_size=3),
    ends=st.lists(st.lists(margin, min_size=3, max_size=3), min_size=1, max_size=4),
    output=st.integers(0, 2),
)
@settings(deadline=None)
def test_many_classes_the_points_add_up(start: list[float], ends: list[list[float]], output: int) -> None:
    begin, final = np.array(start), np.array(ends)
    weights = points.path(begin, final, np.full(len(final), output))
    change = points.probabilities(final)[:, output] - points.probabilities(begin)[output]
    assert np.allclose((weights * (final - begin)).sum(axis=1), change, atol=1e-11)
    # what raises all classes alike raises none
    assert np.allclose(weights.sum(axis=1), 0, atol=1e-11)


def test_two_classes_are_the_special_case_of_many() -> None:
    ends = np.array([[0.0, 2.0], [0.0, -3.0], [0.0, 0.4]])
    weights = points.path(np.array([0.0, 0.4]), ends, np.array([1, 1, 1]))
    assert np.allclose(weights[:, 1], points.secant(np.array(0.4), ends[:, 1]), atol=1e-10)


@pytest.mark.parametrize("at", [-30.0, -2.0, 0.0, 5.0])
def test_where_nothing_changes_the_slope_is_that_of_the_curve(at: float) -> None:
    chance = 1 / (1 + np.exp(-at))
    assert points.secant(np.array(at), np.array([at]))[0] == pytest.approx(chance * (1 - chance))
    # and it is reached without a jump
    near = points.secant(np.array(at), np.array([at + 0.9 * points.STRAIGHT, at + 1.1 * points.STRAIGHT]))
    assert near == pytest.approx(chance * (1 - chance), rel=1e-4)


def test_the_points_of_one_reason_are_known() -> None:
    # from one half to three quarters: all 25 points are those of the only reason
    slope = points.secant(np.array(0.0), np.array([np.log(3)]))[0]
    assert slope * np.log(3) == pytest.approx(0.25)


@given(start=numbers, parts=st.lists(numbers, min_size=1, max_size=12))
@settings(deadline=None)
def test_what_is_rounded_still_adds_up(start: float, parts: list[float]) -> None:
    end = start + sum(parts)
    first, whole, last, _ = points.tally(start, parts, end)
    largest = max(map(abs, [start, end, *parts]))
    assert abs(first + sum(whole) - last) <= 1e-9 * largest
    # two digits of the largest part, or the last of the digits that anybody reads
    step = max(max(map(abs, parts)) / 10, 10 * largest / 10**points.DIGITS)
    assert all(abs(one - shown) <= 1.01 * step for one, shown in zip(parts, whole, strict=True))


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        ((13.4, [31.2, 20.6, 9.3, 17.9], 92.4), (13, [31, 21, 9, 18], 92, 0)),
        ((0.0, [0.4, 0.4, 0.4], 1.2), (0, [0.4, 0.4, 0.4], 1.2, 2)),
        ((14.0, [0.00001], 14.00001), (14, [0.0], 14, 4)),
        ((208_142.0, [45_200.0, 979.0], 254_321.0), (208_000, [45_000, 1_000], 254_000, 0)),
        ((0.0, [], 0.0), (0, [], 0, 1)),
        ((5.0, [0.0, 0.0], 5.0), (5, [0, 0], 5, 1)),
    ],
)
def test_sums_are_rounded_to_what_can_be_read(asked: tuple, shown: tuple) -> None:
    first, whole, last, decimals = points.tally(*asked)
    assert (first, last, decimals) == pytest.approx((shown[0], shown[2], shown[3]))
    assert whole == pytest.approx(shown[1])
