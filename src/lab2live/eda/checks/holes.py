"""A band of numbers in which there is nothing, inside a distribution that is smooth elsewhere (L4c)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lab2live.eda.checks.levels import Levels

FEWEST_ROWS, FEWEST_VALUES = 300, 30
# Values on each side of a gap from which the density beside it is estimated.
BESIDE = 50
# A natural gap as large as this appears once in so many columns.
SURE = 1e-7
# What should be there: a share of all rows, a number of rows, and steps between rounded values.
SHARE, ROWS, STEPS = 0.015, 30.0, 2.5
# Gaps in the tails are natural.
TAIL = 0.03
# There are several different values on each side of a gap: a heap of equal values is no smooth distribution.
SMOOTH = 5
# Different values beside a gap whose distances are looked at, and the share of them that are one step in a grid.
NEIGHBOURS, EVEN = 20, 0.9
# The widest gaps are looked at.
TRIED = 20
# The gap parts two groups if a category tells nearly always on which side a row is.
PARTED = 0.99


@dataclass(frozen=True)
class Hole:
    """Nothing between two values, where about `expected` rows should be."""

    low: float
    high: float
    expected: float


def hole(values: np.ndarray, categories: list[Levels]) -> Hole | None:
    """Find the widest band without values that chance and rounding do not explain.

    Beside a gap the density is estimated from the nearest values on each side, the lower of both is taken. With m
    values in a width w, a gap of width g is left by chance with a probability of (1 + g / w)^-m: the spacings of a
    Poisson process. Where a distribution fades out towards a natural gap, the values beside it are far apart, too.
    """
    known = np.isfinite(values)
    ordered = np.sort(values[known])
    rows = len(ordered)
    if rows < FEWEST_ROWS:
        return None
    distinct, first = np.unique(ordered, return_index=True)
    if len(distinct) < FEWEST_VALUES:
        return None
    gaps = np.diff(distinct)
    # values are rounded to steps, the smallest of which is no gap
    step = float(np.median(gaps)) if len(distinct) < rows / 2 else 0.0
    below = first[1:]  # number of rows up to the gap
    inner = np.minimum(below, rows - below) > max(TAIL * rows, BESIDE)
    best: Hole | None = None
    wide = np.flatnonzero(inner & (gaps > STEPS * step))
    for place in wide[np.argsort(-gaps[wide])][:TRIED]:
        if min(place, len(distinct) - place - 2) < SMOOTH:
            continue
        gap = float(gaps[place] - step)
        expected, number = _missing(first, distinct, rows, place, gap)
        chance = rows * (1 + expected / number) ** -number
        enough = expected >= max(ROWS, SHARE * rows) and chance < SURE
        if enough and _unlike_others(gaps, place, step) and (best is None or expected > best.expected):
            best = Hole(float(distinct[place]), float(distinct[place + 1]), expected)
    if best is None or _parted(values, best, categories):
        return None
    return best


def _missing(first: np.ndarray, distinct: np.ndarray, rows: int, place: int, gap: float) -> tuple[float, int]:
    """Give how many rows a gap should have by the emptier of its sides, and how many rows tell so."""
    start = min(int(np.searchsorted(first, first[place + 1] - BESIDE, side="right")) - 1, place - SMOOTH)
    stop = max(int(np.searchsorted(first, first[place + 1] + BESIDE)), place + 1 + SMOOTH)
    start, stop = max(0, start), min(len(distinct) - 1, stop)
    sides = (
        (int(first[place + 1] - first[start]), float(distinct[place] - distinct[start])),
        (int(first[stop] - first[place + 1]), float(distinct[stop] - distinct[place + 1])),
    )
    return min(gap * number / width for number, width in sides), min(number for number, _ in sides)


def _unlike_others(gaps: np.ndarray, place: int, step: float) -> bool:
    """Say whether the gap stands out among those between the different values beside it.

    Prices of a list and numbers of branches are what they are, with gaps of any width: there the same test is made with
    different values in place of rows. Where values are evenly spaced, as whole years are, any gap stands out.
    """
    sides = [gaps[max(0, place - NEIGHBOURS) : place], gaps[place + 1 : place + 1 + NEIGHBOURS]]
    near = np.concatenate(sides)
    if step > 0 and float((near < 1.5 * step).mean()) >= EVEN and gaps[place] > 1.5 * near.max():
        return True
    missing = min(float(gaps[place]) * len(side) / float(side.sum()) for side in sides)
    number = min(map(len, sides))
    return bool(len(gaps) * (1 + missing / number) ** -number < SURE)


def _parted(values: np.ndarray, found: Hole, categories: list[Levels]) -> bool:
    """Say whether some category tells which side of the hole a row is on: then both sides are two things."""
    below, above = values <= found.low, values >= found.high
    smaller = min(below.sum(), above.sum())
    for one in categories:
        counts = [np.bincount(one.codes[side & (one.codes >= 0)], minlength=len(one.values)) for side in (below, above)]
        wrong = np.minimum(*counts).sum()
        if wrong < (1 - PARTED) * smaller:
            return True
    return False
