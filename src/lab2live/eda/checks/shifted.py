"""A part of a column that is a scaled copy of the rest: 3922 among values like 39.22."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

# What one unit has to do with another. The large ones can be told from a natural spread.
LARGE = (10.0, 60.0, 100.0, 1000.0, 3600.0, 1e6)
SMALL = (1.609344, 2.20462, 2.54, 3.28084, 12.0, 24.0)
FEWEST = 8
SMALLEST_SHARE = 0.002
SURE = 1e-7
# How the distribution of the copy may differ from that of the rest (Kolmogorov-Smirnov): a little, plus chance.
UNLIKE, CHANCE = 0.08, 1.63
# A column with at most so many values is compared value by value.
FEW_VALUES = 100
# The decimals that values are rounded to are looked for up to here.
MOST_DECIMALS = 4
# If more of the values half-way have other decimals, these change with the size.
ODD_HALFWAY = 0.2
# More digits than these are no rounding.
MOST_DIGITS = 8
# An interquartile range is that many standard deviations of a normal distribution.
IQR = 1.349


@dataclass(frozen=True)
class Copy:
    """Rows that stand `factor` times too high (below 1: too low)."""

    factor: float
    rows: np.ndarray


def scaled_part(
    values: np.ndarray, location: np.ndarray | None = None, factors: tuple[float, ...] = LARGE
) -> Copy | None:
    """Find rows whose values are those of the others times a factor between units.

    The logarithms of amounts, counts and durations nearly always have one peak and fall ever faster on both sides
    (log-concave densities: normal, gamma, Weibull and, at the limit, Pareto in the logarithm). A second peak breaks
    that; it counts if it lies at the logarithm of a known factor and repeats the shape of the first. Decimals are a
    second witness: cents for euros have none left.

    Parameters
    ----------
    values
        Of the column; missing and zero are left out.
    location
        What logarithms to expect in each row, from what else is known; the same everywhere by default.
    factors
        Looked for upwards and downwards.

    Returns
    -------
    Copy or None
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(np.abs(values))
    residual = logs if location is None else logs - location
    usable = np.isfinite(residual)
    if usable.sum() < 10 * FEWEST:
        return None
    ordered = np.sort(residual[usable])
    low, middle, high = ordered[[len(ordered) // 4, len(ordered) // 2, 3 * len(ordered) // 4]]
    ordered -= middle
    spread = max((high - low) / IQR, 1e-3)
    rest, size = residual[usable] - middle, np.abs(values[usable])
    few: bool | None = None if location is None else False
    best: tuple[float, Copy] | None = None
    for sign in (1, -1):
        beyond = ordered if sign > 0 else -ordered[::-1]
        for factor in factors:
            shift = np.log(factor)
            if beyond[-FEWEST] < 0.8 * shift or shift < 2 * spread:
                continue
            copy = sign * rest > max(shift / 2, min(2.5 * spread, 0.8 * shift))
            few = len(np.unique(size)) <= FEW_VALUES if few is None else few
            witness = location is None and _fewer_decimals(size, sign * rest, copy, shift, sign)
            if few:
                unlike = 0.0 if factor >= 100 and _same_values(size, copy, factor**sign) else 1.0
            elif witness:
                unlike = abs(float(np.median((sign * rest)[copy])) - shift) / (10 * spread)
            elif _second_peak(beyond, shift):
                unlike = _unlike(beyond, shift, spread)
            else:
                continue
            allowed = UNLIKE + CHANCE / np.sqrt(max(copy.sum(), 1))
            if unlike > allowed or _one_value(size[copy]):
                continue
            if max(FEWEST, SMALLEST_SHARE * len(rest)) <= copy.sum() and (best is None or unlike < best[0]):
                rows = np.zeros(len(values), dtype=bool)
                rows[usable] = copy
                best = unlike, Copy(factor**sign, rows)
    return None if best is None else best[1]


def _second_peak(ordered: np.ndarray, shift: float) -> bool:
    """Say whether the counts in three neighbouring windows, the last around the shift, cannot be log-concave."""
    for width in (shift / 6, shift / 4, shift / 3, shift / 2):
        edges = shift + width * np.array([-2.5, -1.5, -0.5, 0.5])
        counts = np.diff(np.searchsorted(ordered, edges))
        bound = (counts[1] + 1) ** 2 / (counts[0] + 1)
        if counts[2] >= FEWEST and special.pdtrc(counts[2] - 1, 2 * bound + 1) < SURE:
            return True
    return False


def _unlike(ordered: np.ndarray, shift: float, spread: float) -> float:
    """Compare the part around the shift with the part around the middle, where neither reaches the other."""
    reach = min(1.5 * spread, shift / 2)
    first = _between(ordered, -reach, shift / 2)
    second = _between(ordered, shift - reach, 1.5 * shift) - shift
    if min(len(first), len(second)) < FEWEST:
        return 1.0
    both = np.concatenate([first, second])
    heights = [np.searchsorted(side, both, side="right") / len(side) for side in (first, second)]
    return float(np.abs(heights[0] - heights[1]).max())


def _between(ordered: np.ndarray, low: float, high: float) -> np.ndarray:
    return ordered[np.searchsorted(ordered, low) : np.searchsorted(ordered, high)]


def _decimals(values: np.ndarray) -> int | None:
    """Give how many decimals nearly all values have; negative for multiples of 10 or 100, `None` for no rounding."""
    for decimals in range(-3, MOST_DECIMALS + 1):
        if _multiple(values, decimals).mean() >= 0.98:
            return decimals
    return None


def _multiple(values: np.ndarray, decimals: int) -> np.ndarray:
    """Say which values have no more than so many decimals."""
    scaled = values * 10.0**decimals
    return np.abs(scaled - np.round(scaled)) <= 1e-6 * np.maximum(1.0, np.abs(scaled) * 1e-6)


def _fewer_decimals(size: np.ndarray, rest: np.ndarray, copy: np.ndarray, shift: float, sign: int) -> bool:
    """Say whether the far values are rounded as a multiple of the near ones would be, and the near ones are not."""
    power = round(shift / np.log(10))
    if abs(shift - power * np.log(10)) > 1e-9 or copy.sum() < FEWEST:
        return False
    near = rest < shift / 4
    decimals = _decimals(size[near])
    if decimals is None:
        return False
    between = (rest >= shift / 4) & (rest <= shift / 2)
    if sign > 0:
        told, fits = _multiple(size, decimals - power), _multiple(size[copy], decimals - power)
    else:
        told = ~_multiple(size, decimals)
        fits = told[copy] & _multiple(size[copy], decimals + power)
    usual = max(float(told[near].mean()), 0.01)
    if between.sum() >= FEWEST:
        # large amounts are often rounded more, and small ones less: then those half-way are, too
        halfway = float(told[between].mean())
        if halfway > max(ODD_HALFWAY, 3 * usual):
            return False
        usual = max(usual, halfway)
    if _to_digits(size):
        return False
    likely = special.bdtrc(fits.sum() - 1, len(fits), usual) < SURE
    return bool(likely and fits.mean() > 0.5 + usual / 2 and fits.sum() >= FEWEST)


def _to_digits(size: np.ndarray) -> bool:
    """Say whether values are rounded to so many digits, as measurements are, and not to so many decimals.

    Then larger ones have fewer decimals all the same. Of a copy in another unit that cannot be: ordinary values of
    different powers of ten have as many decimals, and therefore not as many digits.
    """
    exponents = np.floor(np.log10(size) + 1e-9)
    front = size / 10.0**exponents
    digits = np.full(len(size), MOST_DIGITS)
    for number in range(MOST_DIGITS - 1, 0, -1):
        digits[_multiple(front, number - 1)] = number
    usual = [
        np.bincount(digits[exponents == exponent]).argmax()
        for exponent in np.unique(exponents)
        if (exponents == exponent).sum() >= FEWEST
    ]
    return len(usual) > 1 and len(set(usual)) == 1


def _same_values(size: np.ndarray, copy: np.ndarray, factor: float) -> bool:
    """Say whether the far values of a column with few values are the near ones times the factor, and nothing else."""
    if copy.sum() < FEWEST:
        return False
    back, near = np.round(size[copy] / factor, 6), np.round(size[~copy], 6)
    return len(np.unique(back)) > 1 and bool(np.isin(back, near).mean() > 0.95)


def _one_value(size: np.ndarray) -> bool:
    """Say whether one value makes up the far part: that stands for nothing, and is no other unit."""
    if not len(size):
        return True
    times = np.unique(size, return_counts=True)[1]
    return len(times) < 2 or bool(times.max() > 0.8 * len(size))
