"""A band of numbers in which there is nothing, inside a distribution that is smooth elsewhere (L4c)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lab2live.eda.levels import Levels

FEWEST_ROWS, FEWEST_VALUES = 300, 30
# Values on each side of a gap from which the density beside it is estimated.
BESIDE = 50
# A natural gap as large as this appears once in so many columns.
SURE = 1e-7
# What should be there: a share of all rows, a number of rows, and steps between rounded values.
SHARE, ROWS, STEPS = 0.015, 30.0, 2.5
# Gaps in the tails are natural.
TAIL = 0.03
# The values beside a gap are different ones: a heap of equal values is no smooth distribution.
SMOOTH = 5
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
    step = float(np.median(gaps[:: max(1, len(gaps) // 1000)])) if len(distinct) < rows / 2 else 0.0
    below = first[1:]  # number of values up to the gap
    inner = (below > max(TAIL * rows, BESIDE)) & (rows - below > max(TAIL * rows, BESIDE))
    best: Hole | None = None
    for place in np.flatnonzero(inner & (gaps > STEPS * step))[np.argsort(-gaps[inner & (gaps > STEPS * step)])][:20]:
        count = int(below[place])
        left, right = ordered[count - BESIDE : count], ordered[count : count + BESIDE]
        if min(len(np.unique(left)), len(np.unique(right))) < SMOOTH and not _spread_out(distinct, place):
            continue
        widths = [_width(distinct, first, rows, place, side) for side in (-1, 1)]
        gap = float(gaps[place] - step)
        expected = min(gap * number / width if width > 0 else 0.0 for number, width in widths)
        number = min(number for number, _ in widths)
        chance = rows * (1 + expected / number) ** -number
        if expected >= max(ROWS, SHARE * rows) and chance < SURE and (best is None or expected > best.expected):
            best = Hole(float(distinct[place]), float(distinct[place + 1]), expected)
    if best is None or _parted(values, best, categories):
        return None
    return best


def _spread_out(distinct: np.ndarray, place: int) -> bool:
    """Say whether there are several different values on both sides of a gap, however often each occurs."""
    return place + 1 >= SMOOTH and len(distinct) - place - 1 >= SMOOTH


def _width(distinct: np.ndarray, first: np.ndarray, rows: int, place: int, side: int) -> tuple[int, float]:
    """Give how many values lie within which distance beside a gap: at least `BESIDE`, and several different ones."""
    if side < 0:
        start = max(0, min(int(np.searchsorted(first, first[place + 1] - BESIDE, side="right")) - 1, place - SMOOTH))
        return int(first[place + 1] - first[start]), float(distinct[place] - distinct[start])
    stop = min(len(distinct) - 1, max(int(np.searchsorted(first, first[place + 1] + BESIDE)), place + 1 + SMOOTH))
    return int(first[stop] - first[place + 1]), float(distinct[stop] - distinct[place + 1])


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
