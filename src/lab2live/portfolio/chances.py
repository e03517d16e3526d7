"""How likely does something come of it? Chances and totals of several projects that share some of their luck.

The projects hang together by a one-factor Gaussian copula (Vasicek 1987, 2002; Li 2000): project i has the latent
number sqrt(r) Z + sqrt(1 - r) E_i, where Z is what all of them share, E_i is its own, and r is the correlation. It
succeeds where that number lies among the best of its chance. At r = 0 the projects know nothing of each other, at 1
they are one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

# Nobody can measure the correlation of a handful of projects: so it is shown what it would do.
CORRELATIONS = (0.0, 0.2, 0.5)
DRAWS = 100_000
# Points on which what all projects share is integrated out: the error is below 1e-4 even where all are one.
POINTS = 20_000
# Quantiles of the totals, the same as those of the projects' intervals.
INTERVAL = (0.05, 0.5, 0.95)
# Parts of the draws whose quantiles are compared to learn how far a quantile is off.
BATCHES = 50
_STEEP = float(ndtri(INTERVAL[2]))


@dataclass(frozen=True)
class Worth:
    """What a project leaves after all costs: the 5, 50 and 95 % quantiles, in money over its own horizon."""

    low: float
    middle: float
    high: float

    @property
    def expected(self) -> float:
        """The mean of the two half normal curves that have these quantiles."""
        below, above = (self.middle - self.low) / _STEEP, (self.high - self.middle) / _STEEP
        return self.middle + (above - below) / float(np.sqrt(2 * np.pi))

    def at(self, latent: np.ndarray) -> np.ndarray:
        """Give the worth where the latent standard normal number has these values; the same shape."""
        below, above = (self.middle - self.low) / _STEEP, (self.high - self.middle) / _STEEP
        return self.middle + np.where(latent < 0, below, above) * latent


@dataclass(frozen=True)
class Estimate:
    """A simulated number and its standard error."""

    value: float
    error: float


@dataclass(frozen=True)
class Spread:
    """What the projects leave together.

    Attributes
    ----------
    correlation
        How much of their luck they share.
    expected
        The mean, which does not depend on the correlation; computed, not simulated.
    low, middle, high
        The 5, 50 and 95 % quantiles of the total.
    loss
        The chance that the total is negative.
    """

    correlation: float
    expected: float
    low: Estimate
    middle: Estimate
    high: Estimate
    loss: Estimate


def successes(chances: Sequence[float], correlation: float) -> np.ndarray:
    """Say how likely it is that none, one, two, ... of the projects succeed.

    Parameters
    ----------
    chances
        Of the projects, each from 0 to 1.
    correlation
        From 0 to 1.

    Returns
    -------
    numpy.ndarray
        Shape (projects + 1,), summing to 1. Given what all share, projects are independent and are counted one by one;
        what they share is integrated out on a fixed grid, so that there is no simulation error.
    """
    wanted = np.asarray(chances, dtype=float)
    if correlation == 0:
        given = wanted[None, :]
    else:
        shared = ndtri((np.arange(POINTS) + 0.5) / POINTS)[:, None]
        line = ndtri(wanted)[None, :]
        if correlation == 1:
            given = (shared + line > 0).astype(float)
        else:
            given = ndtr((line + np.sqrt(correlation) * shared) / np.sqrt(1 - correlation))
    counts = np.zeros((len(given), len(wanted) + 1))
    counts[:, 0] = 1
    for number in range(len(wanted)):
        chance = given[:, [number]]
        counts[:, 1:] = counts[:, 1:] * (1 - chance) + counts[:, :-1] * chance
        counts[:, [0]] *= 1 - chance
    return np.asarray(counts.mean(axis=0))


def at_least_one(chances: Sequence[float], correlation: float) -> float:
    """Say how likely it is that at least one of the projects succeeds."""
    return float(1 - successes(chances, correlation)[0])


def totals(worths: Sequence[Worth], correlation: float, seed: int, draws: int = DRAWS) -> np.ndarray:
    """Draw what the projects leave together.

    Parameters
    ----------
    worths
        Of the projects, all in one currency.
    correlation
        From 0 to 1.
    seed
        The same seed draws the same luck at every correlation, so that differences are not chance.
    draws
        How many.

    Returns
    -------
    numpy.ndarray
        Shape (draws,).
    """
    random = np.random.default_rng(seed)
    shared = random.standard_normal(draws)
    total = np.zeros(draws)
    for worth in worths:
        latent = np.sqrt(correlation) * shared + np.sqrt(1 - correlation) * random.standard_normal(draws)
        total += worth.at(latent)
    return total


def spread(worths: Sequence[Worth], correlation: float, seed: int, draws: int = DRAWS) -> Spread:
    """Say how far the total may lie from what is expected; see `totals` for the parameters."""
    drawn = totals(worths, correlation, seed, draws)
    parts = np.array_split(drawn, BATCHES)

    def quantile(level: float) -> Estimate:
        scatter = np.std([np.quantile(part, level) for part in parts], ddof=1) / np.sqrt(BATCHES)
        return Estimate(float(np.quantile(drawn, level)), float(scatter))

    low, middle, high = map(quantile, INTERVAL)
    loss = float((drawn < 0).mean())
    return Spread(
        correlation,
        float(sum(worth.expected for worth in worths)),
        low,
        middle,
        high,
        # of a share that was never drawn one only knows that it is small: the rule of succession
        Estimate(loss, float(np.sqrt(max(loss * (1 - loss), 1 / draws) / draws))),
    )
