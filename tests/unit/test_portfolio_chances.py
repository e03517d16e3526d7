"""Chances and totals of several projects, held against what is known exactly."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab2live.portfolio import chances
from lab2live.portfolio.chances import Worth

some = st.lists(st.floats(0, 1), min_size=1, max_size=8)
worths = st.lists(
    st.tuples(st.floats(-1e6, 1e6), st.floats(1, 1e5), st.floats(1, 1e5)).map(
        lambda parts: Worth(parts[0] - parts[1], parts[0], parts[0] + parts[2])
    ),
    min_size=1,
    max_size=6,
)


@given(some)
def test_independent_projects_fail_together_with_the_product_of_their_chances(known: list[float]) -> None:
    assert chances.at_least_one(known, 0) == pytest.approx(1 - math.prod(1 - chance for chance in known), abs=1e-12)


@given(some)
@settings(max_examples=30, deadline=None)
def test_projects_that_are_one_succeed_with_the_best_chance_among_them(known: list[float]) -> None:
    assert chances.at_least_one(known, 1) == pytest.approx(max(known), abs=1e-4)


@given(some, st.sampled_from([0.0, 0.2, 0.5, 1.0]))
@settings(max_examples=30, deadline=None)
def test_the_expected_number_of_successes_does_not_depend_on_the_correlation(known: list[float], shared: float) -> None:
    counts = chances.successes(known, shared)
    assert counts.sum() == pytest.approx(1, abs=1e-9)
    assert counts @ np.arange(len(counts)) == pytest.approx(sum(known), abs=1e-3)


def test_of_equal_projects_that_share_half_their_luck_the_known_share_succeeds() -> None:
    # two medians: P(both) = 1/4 + asin(r) / (2 pi), Sheppard 1899
    for shared in (0.2, 0.5, 0.9):
        both = chances.successes([0.5, 0.5], shared)[2]
        assert both == pytest.approx(0.25 + math.asin(shared) / (2 * math.pi), abs=1e-5)


def test_sharing_luck_makes_it_less_likely_that_anything_succeeds() -> None:
    found = [chances.at_least_one([0.3] * 5, shared) for shared in (0.0, 0.2, 0.5, 1.0)]
    assert found == sorted(found, reverse=True)
    assert found[0] == pytest.approx(1 - 0.7**5)
    assert found[-1] == pytest.approx(0.3, abs=1e-4)


def test_the_computed_chance_is_the_one_that_drawing_finds() -> None:
    known, shared, draws = [0.2, 0.5, 0.7], 0.2, 400_000
    random = np.random.default_rng(3)
    latent = np.sqrt(shared) * random.standard_normal((draws, 1)) + np.sqrt(1 - shared) * random.standard_normal(
        (draws, 3)
    )
    drawn = (latent > -chances.ndtri(known)).any(axis=1).mean()
    exact = chances.at_least_one(known, shared)
    assert abs(drawn - exact) < 4 * math.sqrt(exact * (1 - exact) / draws)


@given(worths)
@settings(max_examples=25, deadline=None)
def test_a_worth_has_the_quantiles_it_was_made_of_and_the_mean_it_says(found: list[Worth]) -> None:
    for worth in found:
        at = worth.at(np.array([-1.6448536269514722, 0.0, 1.6448536269514722]))
        assert at == pytest.approx([worth.low, worth.middle, worth.high], abs=1e-9 * (worth.high - worth.low))
        grid = chances.ndtri((np.arange(200_000) + 0.5) / 200_000)
        assert worth.at(grid).mean() == pytest.approx(worth.expected, abs=1e-4 * (worth.high - worth.low))


def test_the_mean_of_the_total_stays_and_its_spread_grows_with_what_is_shared() -> None:
    known = [Worth(-50, 40, 160), Worth(-20, 30, 90), Worth(-100, 10, 110)]
    found = {shared: chances.spread(known, shared, seed=1) for shared in (0.0, 0.2, 0.5, 1.0)}
    assert {one.expected for one in found.values()} == {sum(worth.expected for worth in known)}
    widths = [one.high.value - one.low.value for one in found.values()]
    assert widths == sorted(widths)
    assert widths[-1] > 1.5 * widths[0]
    for shared, one in found.items():
        drawn = chances.totals(known, shared, seed=1)
        assert abs(drawn.mean() - one.expected) < 4 * drawn.std() / math.sqrt(len(drawn)), shared


def test_the_total_of_normal_worths_has_the_quantiles_and_the_loss_of_the_normal_sum() -> None:
    sd = np.array([10.0, 20.0, 40.0])
    known = [Worth(20 - 1.6448536 * each, 20, 20 + 1.6448536 * each) for each in sd]
    for shared in (0.0, 0.2, 0.5):
        scale = math.sqrt(shared * sd.sum() ** 2 + (1 - shared) * (sd**2).sum())
        one = chances.spread(known, shared, seed=5)
        assert abs(one.low.value - (60 - 1.6448536 * scale)) < 4 * one.low.error
        assert abs(one.high.value - (60 + 1.6448536 * scale)) < 4 * one.high.error
        assert abs(one.loss.value - chances.ndtr(-60 / scale)) < 4 * one.loss.error


def test_the_stated_error_is_how_far_simulations_scatter() -> None:
    known = [Worth(-50, 40, 160), Worth(-20, 30, 90)]
    found = [chances.spread(known, 0.2, seed, draws=5_000) for seed in range(60)]
    for name in ("low", "middle", "high", "loss"):
        scatter = np.std([getattr(one, name).value for one in found], ddof=1)
        stated = np.mean([getattr(one, name).error for one in found])
        assert 0.7 < stated / scatter < 1.4, name


def test_projects_that_are_one_add_up_to_their_quantiles() -> None:
    known = [Worth(-50, 40, 160), Worth(-20, 30, 90)]
    big = chances.spread(known, 1.0, seed=0)
    assert abs(big.low.value - -70) < 4 * big.low.error
    assert abs(big.high.value - 250) < 4 * big.high.error
    assert big == chances.spread(known, 1.0, seed=0)
    assert big != chances.spread(known, 1.0, seed=1)


def test_a_loss_that_was_never_drawn_is_not_called_impossible() -> None:
    one = chances.spread([Worth(100, 110, 120)], 0.0, seed=0, draws=1_000)
    assert one.loss.value == 0
    assert one.loss.error > 0
