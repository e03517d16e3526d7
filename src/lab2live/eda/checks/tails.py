"""How far values may lie from the others: tails fitted from quantiles, and whether a category explains them."""

from __future__ import annotations

import numpy as np
from scipy import special

from lab2live.eda.checks.survey import Survey

# Shares of the values above which the tail is judged; the faulty rows must be fewer than one of them. Beside each, how
# fast quantiles narrow there, a little faster than in Student's distribution with 5 degrees of freedom: a tail whose
# quantiles surely narrow faster still is like the normal one, and exponential is generous for it.
SHARES = {0.02: 1.0, 0.05: 0.93, 0.1: 0.76}
# The tail's rate is read between a share and this many times that share, its growth between that and as many times
# that; less where half of the values lie on the other side.
WINDOW = 3.0
WINDOW_OF_SIDE = 2.2
# This many standard errors of the rate are given away, and this part of its growth.
DOUBT = 2.5
GROWTH = 0.5
# Values must lie this many times farther out than the quantile the tail starts from.
FAR = 3.0
# Chance that so many values lie so far out in a clean column; many columns, shares and counts are tried.
CHANCE = 1e-9
# At most this share of the values found may be as the tail promises: an excess has to be large, too.
HONEST = 0.3
# Fewer values say nothing about a tail.
FEWEST = 100
# A gap in counts: no healthy tail goes up by this factor from one level to the next, with these shares of rows beyond.
WIDE = 4.0
RARE, RAREST = 0.05, 0.003
# By this factor, with so many rows beyond, it goes up by chance only. That is reckoned where the levels below the gap
# run out (their last one holds at most this share of the rows), and at least so many rows tell how fast they do.
DOUBTFUL = 2.5
FEWEST_BEYOND, MOST_BEYOND = 3, 0.1
RUN_OUT = 0.01
FEWEST_OF_TAIL = 30
CHANCE_OF_GAP = 1e-6
# A category explains outliers when it holds most of them, is itself a minor part, and not by chance.
MOST_OF_THEM = 0.8
MINOR_PART = 0.4
EXPLAINED_BY_CHANCE = 1e-6
MOST_LEVELS = 50


def beyond(distances: np.ndarray, ratios: bool = False) -> tuple[float, float]:
    """Say from which distance on values are too far out to belong to the others.

    The tail is taken to be no heavier than the one its own quantiles promise: exponential in the distance where these
    narrow quickly, else exponential in the logarithm of the distance, which is a power law (its rate is estimated from
    quantiles, after Hill, 1975). Where the rate is seen to grow outwards, as for a log-normal, it is taken to grow on
    half as fast. Log-normal, gamma and exponential tails are lighter than that; Pareto tails are exactly it.

    Parameters
    ----------
    distances
        Of all values, from a centre or from zero; those that are not positive lie on the other side and only count.
    ratios
        Whether distances are from zero, so that only their ratios mean anything.

    Returns
    -------
    distance, chance
        Where the outliers begin, and how likely so many are; (inf, 1) when there are none.
    """
    ordered = np.sort(distances)[::-1]
    number = len(ordered)
    distance, least = np.inf, 1.0
    if number < FEWEST:
        return distance, least
    window = WINDOW if (ordered > 0).mean() > 0.9 else WINDOW_OF_SIDE
    for share, narrow in SHARES.items():
        start, inner, middle = (float(ordered[int(share * window**power * number)]) for power in (0, 1, 2))
        if not 0 < inner < start:
            continue
        middle = max(middle, 1e-3 * inner)
        error = float(np.sqrt((1 - 1 / window) / (share * number)) / np.log(window))
        light = not ratios and start - inner < narrow * (1 - 3 * error) * (inner - middle)
        top = ordered[: int(share * number)]
        steps = top - start if light else np.log(top / start)
        outer, central = (
            first - second if light else np.log(first / second) for first, second in ((start, inner), (inner, middle))
        )
        if not (outer > 0 and central > 0 and np.isfinite(outer + central)):
            continue
        rate = np.log(window) / outer
        growth = max(0.0, rate - np.log(window) / central) / ((outer + central) / 2) if light or ratios else 0.0
        rate *= max(0.1, 1 - DOUBT * error)
        expected = share * number * np.exp(-rate * steps - GROWTH * growth * np.square(steps) / 2)
        counted = np.arange(1, len(top) + 1)
        chance = np.where(
            (top < FAR * start) | (expected > HONEST * counted), 1.0, special.pdtrc(counted - 1, expected)
        )
        if len(top) and chance.min() < min(CHANCE, least):
            distance, least = float(top[np.flatnonzero(chance < 1).max()]), float(chance.min())
    return distance, least


def beyond_gap(levels: np.ndarray, times: np.ndarray) -> float:
    """Say from which value on counts are too large to belong to the others, in a column of few different values.

    Lists of prices and terms have gaps, too: below this one there must be hardly any, as in counts.

    Parameters
    ----------
    levels, times
        The different values, sorted, and the number of rows of each.

    Returns
    -------
    float
        The level behind the gap; infinite when there is none.
    """
    total, rows = times.sum(), np.cumsum(times[::-1])[::-1]
    dense = levels <= levels[:1] + 2 * np.arange(len(levels))
    for place in range(3, len(levels)):
        last, first, share = levels[place - 1], levels[place], rows[place] / total
        if not (0 < last <= first / DOUBTFUL and dense[place - 1] and rows[place] >= FEWEST_BEYOND):
            continue
        wide = first / WIDE > last and RAREST <= share < RARE and place < len(levels) - 1
        run_out = times[place - 1] <= max(FEWEST_BEYOND, RUN_OUT * total)
        if wide or (run_out and share < MOST_BEYOND and _chance_of_gap(levels, times, place) < CHANCE_OF_GAP):
            return float(first)
    return np.inf


def _chance_of_gap(levels: np.ndarray, times: np.ndarray, place: int) -> float:
    """Bound the chance that all counts behind a gap of a healthy column leap over it.

    The tail is taken to be a power law, heavier than that of any Poisson, binomial or negative binomial count. Its
    index is Hill's estimate (1975) with those behind the gap counted as if they lay at its foot, less some standard
    errors; of all places a tail may start from, the one that says most.
    """
    if (levels % 1 != 0).any():
        return 1.0
    last, first, behind = levels[place - 1], levels[place], int(times[place:].sum())
    index = 0.0
    for start in levels[:place][levels[:place] > 0]:
        tail = np.flatnonzero(levels[:place] >= start)
        rows = int(times[tail].sum())
        if FEWEST_OF_TAIL <= rows <= times[:place].sum() / 2:
            # a whole number stands for half a step to both sides
            steps = times[tail] @ np.log(levels[tail] / (start - 0.5)) + behind * np.log(last / (start - 0.5))
            index = max(index, rows / steps * (1 - DOUBT / np.sqrt(rows)))
    return float(np.exp(-index * behind * np.log((first - 0.5) / (last + 0.5))))


def spread(values: np.ndarray) -> np.ndarray:
    """Spread equal values evenly over the step they were rounded to, so that quantiles of counts differ.

    Parameters
    ----------
    values
        Finite numbers, sorted.
    """
    different, first, times = np.unique(values, return_index=True, return_counts=True)
    if len(different) < 2 or len(different) > len(values) / 2:
        return values
    step = float(np.diff(different).min())
    position = (np.arange(len(values)) - np.repeat(first, times) + 0.5) / np.repeat(times, times)
    return np.asarray(values + step * (position - 0.5))


def explained(survey: Survey, rows: np.ndarray, but: str) -> str | None:
    """Name a category that holds most of some rows and few of all: another kind of case is no error.

    Parameters
    ----------
    survey
        Whose sample the rows are of.
    rows
        Which ones, as a mask.
    but
        A column that must not explain itself.

    Returns
    -------
    str or None
        The name of the column.
    """
    marked = int(rows.sum())
    for name in survey.facts:
        if name == but or not 2 <= survey.facts[name].distinct <= MOST_LEVELS:
            continue
        levels = survey.sample[name].astype(str).to_numpy()
        names, codes = np.unique(levels, return_inverse=True)
        all_of, of_rows = np.bincount(codes), np.bincount(codes[rows], minlength=len(names))
        typical = of_rows / all_of > 2 * marked / len(rows)
        held, part = int(of_rows[typical].sum()), float(all_of[typical].sum()) / len(rows)
        likely = float(special.bdtrc(held - 1, marked, part))
        if held > MOST_OF_THEM * marked and part < MINOR_PART and likely < EXPLAINED_BY_CHANCE:
            return name
    return None


def normal_scores(values: np.ndarray) -> np.ndarray:
    """Turn numbers into normal scores of their ranks (van der Waerden, 1952), ties into one score; NaN stays NaN."""
    there = np.isfinite(values)
    scores = np.full(len(values), np.nan)
    if there.sum() > 1:
        _, codes, times = np.unique(values[there], return_inverse=True, return_counts=True)
        rank = np.cumsum(times) - (times - 1) / 2
        scores[there] = special.ndtri(rank / (there.sum() + 1))[codes]
    return scores
